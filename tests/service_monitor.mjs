// Judges a ServiceMonitor by the Prometheus operator's own types:
//
//     node service_monitor.mjs FOLDER < MANIFEST.json
//
// FOLDER is what tests/kubernetes_tools.sh filled. Prints what is wrong as JSON, [] if nothing is.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const SCHEMA = "ComGithubPrometheusOperatorPrometheusOperatorPkgApisMonitoringV1ServiceMonitor.js";
const folder = join(resolve(process.argv[2]), "node_modules/@kubernetes-models/prometheus-operator/_schemas");
const { validate } = await import(pathToFileURL(join(folder, SCHEMA)).href);
validate(JSON.parse(readFileSync(0, "utf8")));
console.log(JSON.stringify(validate.errors ?? []));
