// One JSON schema (draft 7) per root type of Grafana's own TypeScript types: node grafana_schemas.mjs SDK FOLDER.
//
// Each root has a source file of its own: one for all dies with "multiple definitions". A wrong import path gives an
// empty schema that accepts everything, without any error; so a schema that names no property is an error here, and
// the tests that use schemas keep samples that must fail.
import fs from "node:fs";
import path from "node:path";
import { createGenerator } from "ts-json-schema-generator";

const ROOTS = [
    ["dashboard", "dashboard", "Dashboard"],
    ["query", "prometheus", "Dataquery"],
    ["bargauge.options", "bargauge", "Options"],
    ["gauge.options", "gauge", "Options"],
    ["heatmap.options", "heatmap", "Options"],
    ["heatmap.custom", "heatmap", "FieldConfig"],
    ["stat.options", "stat", "Options"],
    ["state-timeline.options", "statetimeline", "Options"],
    ["state-timeline.custom", "statetimeline", "FieldConfig"],
    ["table.options", "table", "Options"],
    ["table.custom", "table", "FieldConfig"],
    ["text.options", "text", "Options"],
    ["timeseries.options", "timeseries", "Options"],
    ["timeseries.custom", "timeseries", "FieldConfig"],
];
const [sdk, folder] = process.argv.slice(2).map((one) => path.resolve(one));

function resolved(schema, node) {
    return node.$ref ? resolved(schema, schema.definitions[decodeURIComponent(node.$ref.split("/").pop())]) : node;
}

for (const [name, module, type] of ROOTS) {
    const source = path.join(folder, `${name}.ts`);
    fs.writeFileSync(source, `import type { ${type} } from "${sdk}/dist/${module}/types.gen";\nexport type Root = ${type};\n`);
    const schema = createGenerator({ path: source, type: "Root", skipTypeCheck: true }).createSchema("Root");
    fs.unlinkSync(source);
    if (!Object.keys(resolved(schema, schema).properties ?? {}).length) {
        throw new Error(`${module} ${type}: an empty schema; is the type still there?`);
    }
    fs.writeFileSync(path.join(folder, `${name}.json`), JSON.stringify(schema));
}
