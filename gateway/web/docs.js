// Shows the operations of /openapi.json and lets the reader call them. The token is kept only in
// this page's memory.
"use strict";

let token = null;
let openapi = null;

/** An element with attributes and children (elements or texts). Texts are never parsed as HTML. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// ------------------------------------------------------------------------------------- schemas

function resolve(schema) {
  if (!schema || !schema.$ref) return schema;
  return openapi.components.schemas[schema.$ref.split("/").pop()];
}

function typeText(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `array of ${typeText(schema.items ?? {})}`;
  if (Array.isArray(schema.type)) return schema.type.join(" or ");
  return schema.type ?? "any";
}

function schemaTable(schema) {
  const whole = resolve(schema);
  if (!whole?.properties) return make("p", {}, make("code", {}, typeText(schema)));
  const required = new Set(whole.required ?? []);
  const rows = Object.entries(whole.properties).map(([name, property]) =>
    make("tr", {},
      make("td", {}, make("code", {}, name), required.has(name) ? " *" : ""),
      make("td", {}, make("code", {}, typeText(property))),
      make("td", {}, property.description ?? ""),
    ));
  return make("table", {}, make("tbody", {}, ...rows));
}

/** An initial body: the required fields, empty. */
function exampleBody(schema) {
  const whole = resolve(schema);
  const body = {};
  for (const name of whole.required ?? []) {
    const property = resolve(whole.properties[name]);
    body[name] = property.enum?.[0] ?? (property.type === "integer" ? 1 : "");
  }
  return JSON.stringify(body, null, 2);
}

// ----------------------------------------------------------------------------------- operations

function responsesTable(responses) {
  const rows = Object.entries(responses).map(([status, response]) => {
    const content = Object.entries(response.content ?? {}).map(([type, media]) =>
      make("div", {}, make("code", {}, `${type}: ${typeText(media.schema ?? {})}`)));
    const headers = Object.entries(response.headers ?? {}).map(([name, header]) =>
      make("div", {}, make("code", {}, name), ` ${header.description}`));
    return make("tr", {}, make("td", {}, make("code", {}, status)),
      make("td", {}, response.description, ...headers), make("td", {}, ...content));
  });
  return make("table", {}, make("tbody", {}, ...rows));
}

function acceptedTypes(operation) {
  const types = new Set();
  for (const response of Object.values(operation.responses))
    for (const type of Object.keys(response.content ?? {})) types.add(type);
  return [...types];
}

function formatBody(text, type) {
  if (!type.includes("json")) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function show(response, output) {
  const lines = [`${response.status} ${response.statusText}`];
  response.headers.forEach((value, name) => lines.push(`${name}: ${value}`));
  output.textContent = `${lines.join("\n")}\n\n`;
  const type = response.headers.get("content-type") ?? "";
  if (type.includes("arrow")) {
    output.textContent += `${(await response.arrayBuffer()).byteLength} bytes`;
  } else if (type.includes("event-stream")) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read())
      output.textContent += part.value;
  } else {
    output.textContent += formatBody(await response.text(), type);
  }
}

function tryForm(path, method, operation) {
  const inputs = (operation.parameters ?? []).map((parameter) => {
    const attributes = { name: parameter.name };
    if (parameter.required) attributes.required = "";
    return { parameter, input: make("input", attributes) };
  });
  const bodySchema = operation.requestBody?.content["application/json"].schema;
  const body = bodySchema && make("textarea", { "aria-label": "Body", spellcheck: "false" });
  if (body) body.value = exampleBody(bodySchema);
  const accept = make("select", { "aria-label": "Accept" },
    ...acceptedTypes(operation).map((type) => make("option", {}, type)));
  const output = make("pre", { class: "hidden" });
  const form = make("form", { class: "try" },
    ...inputs.map(({ parameter, input }) =>
      make("label", {}, make("span", {}, make("code", {}, parameter.name)), input,
        parameter.description ?? "")),
    ...(body ? [body] : []),
    make("label", {}, make("span", {}, "Accept"), accept),
    make("div", {}, make("button", {}, "Try it")), output);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let url = path;
    const query = new URLSearchParams();
    for (const { parameter, input } of inputs) {
      if (parameter.in === "path")
        url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (input.value !== "") query.set(parameter.name, input.value);
    }
    if (query.size) url += `?${query}`;
    const headers = { Accept: accept.value || "application/json" };
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body) headers["Content-Type"] = "application/json";
    output.classList.remove("hidden");
    output.textContent = "...";
    try {
      await show(await fetch(url, {
        method: method.toUpperCase(), headers, body: body?.value, redirect: "manual",
      }), output);
    } catch (error) {
      output.textContent += String(error);
    }
  });
  return form;
}

function operationElement(path, method, operation) {
  const content = make("div");
  const details = make("details", { class: "operation", id: operation.operationId },
    make("summary", {}, make("span", { class: `method ${method}` }, method.toUpperCase()),
      make("span", { class: "path" }, path),
      make("span", { class: "summary" }, operation.summary)),
    content);
  // Built when it is opened, because there are many.
  details.addEventListener("toggle", () => {
    if (content.childElementCount) return;
    if (operation.requestBody) {
      content.append(make("h3", {}, "Body"),
        schemaTable(operation.requestBody.content["application/json"].schema));
    }
    content.append(make("h3", {}, "Answers"), responsesTable(operation.responses));
    content.append(tryForm(path, method, operation));
  });
  details.dataset.words = `${method} ${path} ${operation.summary}`.toLowerCase();
  return details;
}

function schemaElement(name) {
  const reference = { $ref: `#/components/schemas/${name}` };
  const details = make("details", { class: "operation", id: `schema-${name}` },
    make("summary", {}, make("code", {}, name)), make("div", {}, schemaTable(reference)));
  details.dataset.words = name.toLowerCase();
  return details;
}

function showOperations() {
  const groups = new Map();
  for (const [path, methods] of Object.entries(openapi.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operationElement(path, method, operation));
    }
  }
  groups.set("schemas", Object.keys(openapi.components.schemas).sort().map(schemaElement));
  const sections = [...groups].map(([tag, elements]) =>
    make("section", { id: `tag-${tag}` }, make("h2", {}, tag), ...elements));
  document.getElementById("operations").replaceChildren(...sections);
  document.getElementById("tags").replaceChildren(
    ...[...groups.keys()].map((tag) => make("a", { href: `#tag-${tag}` }, tag)));
}

// ------------------------------------------------------------------------------------- the page

async function logIn(event) {
  event.preventDefault();
  const state = document.getElementById("login-state");
  const password = document.getElementById("password");
  const response = await fetch("/omlusers/api/oauth2/v1/token", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      grant_type: "password",
      username: document.getElementById("user").value,
      password: password.value,
    }),
  });
  const answer = await response.json();
  token = response.ok ? answer.accessToken : null;
  if (response.ok) password.value = "";
  state.textContent = response.ok
    ? `Logged in; the token lives ${Math.round(answer.expiresIn / 60)} minutes.`
    : answer.errorMessage;
}

function filterOperations(event) {
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const element of document.querySelectorAll("details.operation")) {
    const isShown = words.every((word) => element.dataset.words.includes(word));
    element.classList.toggle("hidden", !isShown);
  }
}

async function start() {
  document.getElementById("login").addEventListener("submit", logIn);
  document.getElementById("filter").addEventListener("input", filterOperations);
  openapi = await (await fetch("/openapi.json")).json();
  document.getElementById("title").textContent = openapi.info.title;
  document.getElementById("description").textContent =
    `${openapi.info.description} Version ${openapi.info.version}.`;
  showOperations();
}

start().catch((error) => {
  document.getElementById("operations").textContent = `The page could not be made: ${error}`;
});
