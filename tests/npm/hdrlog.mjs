// What an independent implementation, hdr-histogram-js, reads in a log file of HdrHistogram: a JSON line for each interval.
// node hdrlog.mjs FILE
import { readFileSync } from "node:fs";
import hdr from "hdr-histogram-js";

const reader = new hdr.HistogramLogReader(readFileSync(process.argv[2], "utf8"), 64);
for (let histogram; (histogram = reader.nextIntervalHistogram()); ) {
  const slots = {};
  for (let i = 0; i < histogram.countsArrayLength; i++) {
    const count = histogram.getCountAtIndex(i);
    if (count) slots[histogram.valueFromIndex(i)] = count;
  }
  const quantiles = {};
  for (const q of [50, 90, 99]) quantiles[q] = histogram.getValueAtPercentile(q);
  console.log(
    JSON.stringify({
      tag: histogram.tag,
      start_ms: histogram.startTimeStampMsec,
      end_ms: histogram.endTimeStampMsec,
      count: histogram.totalCount,
      slots,
      quantiles,
    }),
  );
}
