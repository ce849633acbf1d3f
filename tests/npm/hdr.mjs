// Holds our histogram encoding against an independent implementation, hdr-histogram-js, in both directions.
// node hdr.mjs PROGRAM: PROGRAM (the unit tests of hist) prints lines "ENCODED VALUE*COUNT ..." when called with "emit", and
// with "check" reads such lines and fails when one does not hold what it says.
import { spawnSync } from "node:child_process";
import hdr from "hdr-histogram-js";

const run = (argument, input) => {
  const { status, stdout, stderr, error } = spawnSync(process.argv[2], [argument], {
    input,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  if (error || status !== 0) throw new Error(`${process.argv[2]} ${argument}: ${error ?? stderr + stdout}`);
  return stdout.split("\n").filter(Boolean);
};

const record = (pairs) => {
  const histogram = hdr.build({
    bitBucketSize: 64,
    lowestDiscernibleValue: 1,
    highestTrackableValue: 3600e9,
    numberOfSignificantValueDigits: 3,
  });
  for (const pair of pairs) {
    const [value, count] = pair.split("*").map(Number);
    histogram.recordValueWithCount(value, count);
  }
  return histogram;
};

// Every used slot with its count, as text.
const content = (histogram) => {
  const slots = [];
  for (let i = 0; i < histogram.countsArrayLength; i++) {
    const count = histogram.getCountAtIndex(i);
    if (count) slots.push(`${histogram.valueFromIndex(i)}*${count}`);
  }
  return slots.join(" ");
};

const lines = run("emit");
const ours = lines.map((line) => line.split(" ").filter(Boolean));
if (ours.length < 5) throw new Error("the program printed too little to tell anything");
for (const [encoded, ...pairs] of ours) {
  const decoded = hdr.decodeFromCompressedBase64(encoded, 64);
  const expected = record(pairs);
  if (decoded.totalCount !== expected.totalCount || content(decoded) !== content(expected))
    throw new Error(`decoded ${content(decoded)}\nexpected ${content(expected)}`);
  for (const key of ["lowestDiscernibleValue", "highestTrackableValue", "numberOfSignificantValueDigits"])
    if (decoded[key] !== expected[key]) throw new Error(`${key} is ${decoded[key]}`);
}
run("check", ours.map(([, ...pairs]) => [hdr.encodeIntoCompressedBase64(record(pairs)), ...pairs].join(" ") + "\n").join(""));
console.log(`${ours.length} histograms read by hdr-histogram-js, and as many of its own read by us`);
