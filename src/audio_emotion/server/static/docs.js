// Shows /openapi.json.  Every text is set as text, so nothing in it can become markup.

function element(name, text = "", ...children) {
  const made = document.createElement(name);
  made.textContent = text;
  made.append(...children);
  return made;
}

function table(head, rows) {
  const cells = (kind, texts) => element("tr", "", ...texts.map((text) => element(kind, text)));
  return element("table", "", cells("th", head), ...rows.map((texts) => cells("td", texts)));
}

function range(schema) {
  const parts = [schema, ...(schema.anyOf ?? [])];
  const find = (key) => parts.map((part) => part[key]).find((value) => value !== undefined);
  const [low, high] = [find("minimum"), find("maximum")];
  return low === undefined && high === undefined ? "" : `${low ?? ""} to ${high ?? ""}`;
}

function operation(path, method, described) {
  const title = element("h2", "", element("code", `${method.toUpperCase()} ${path}`));
  const parts = [title, element("p", described.description ?? described.summary ?? "")];
  const parameters = described.parameters ?? [];
  if (parameters.length) {
    const rows = parameters.map(({ name, schema, description }) => [
      name, String(schema.default ?? ""), range(schema), description ?? schema.description ?? "",
    ]);
    parts.push(table(["parameter", "default", "range", ""], rows));
  }
  const form = described.requestBody?.content?.["multipart/form-data"]?.example;
  if (form) {
    const options = form.options ? ` \\\n    -F options='${JSON.stringify(form.options)}'` : "";
    const call = `curl ${location.origin}${path} \\\n    -F file=${form.file}${options}`;
    parts.push(element("pre", call));
  }
  for (const [status, { content }] of Object.entries(described.responses ?? {})) {
    for (const [mediaType, { example }] of Object.entries(content ?? {})) {
      if (example && status.startsWith("2")) {
        parts.push(element("p", `${status} ${mediaType}`));
        parts.push(element("pre", JSON.stringify(example, null, 2)));
      }
    }
  }
  return parts;
}

function problems(list) {
  const shown = table(["code", "status", "meaning"], list.map((p) => [p.code, p.status, p.title]));
  [...shown.rows].slice(1).forEach((row, n) => { row.id = list[n].code; });
  return [element("h2", "Errors"), shown];
}

const api = await (await fetch("/openapi.json")).json();
const main = document.getElementById("main");
main.replaceChildren(element("h1", `${api.info.title} ${api.info.version}`));
main.append(element("p", api.info.description));
for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, described] of Object.entries(methods)) {
    main.append(...operation(path, method, described));
  }
}
main.append(...problems(api["x-problems"]));
document.getElementById(location.hash.slice(1))?.scrollIntoView();
