// Pages from stdin, {name: html, …}, held against the HTML standard; prints what html-validate finds, a line for each.
import { HtmlValidate } from "html-validate";

const rules = {
    // How a browser writes the page that it has, not how anybody would.
    "attribute-boolean-style": "off",
    "attribute-empty-style": "off",
    "doctype-style": "off",
    "no-inline-style": "off", // the rule of the policy: style properties set by a script are no inline styles
    // Matters of taste, or of files from other servers.
    "require-sri": "off",
    "long-title": "off",
    "prefer-native-element": "off", // a <pre> that scrolls is a region, and no section
    "no-redundant-role": "off", // a table that is laid out as a list on phones keeps its roles
};
const validate = new HtmlValidate({ extends: ["html-validate:recommended", "html-validate:document"], rules });

let text = "";
for await (const chunk of process.stdin) text += chunk;
for (const [name, html] of Object.entries(JSON.parse(text))) {
    const report = await validate.validateString(html);
    for (const { messages } of report.results) for (const each of messages) console.log(`${name}: ${each.ruleId}: ${each.message} (${each.selector})`);
}
