import { connect } from "./parley.js";

const [state, people, messages, form, text] = ["state", "people", "messages", "form", "text"].map((id) =>
  document.getElementById(id)
);
const query = new URLSearchParams(location.search);

const client = await connect({
  url: query.get("server") ?? `ws://${location.hostname}:7254`,
  token: location.hash.slice(1) || undefined, // a fragment is never sent to a server
  name: query.get("name") ?? (prompt("Your name?") || undefined),
  onEvent: (event) => {
    if (event.type === "interrupted") state.textContent = `interrupted: ${event.error.message}`;
    if (event.type === "resumed") {
      state.textContent = event.recovered ? "back, nothing missed" : "back; messages may be missing";
    }
    if (event.type === "closed") state.textContent = `closed: ${event.error?.message ?? "by this page"}`;
  },
}).catch((error) => {
  state.textContent = error.message; // it says what to check
  throw error;
});
state.textContent = `you are ${client.name}`;

const names = new Map(); // also of sessions that have gone: their last messages may still be on their way
const lobby = await client.subscribe("chat.lobby", { presence: () => queueMicrotask(showPeople) });
showPeople();

function showPeople() {
  for (const [id, name] of lobby.members) names.set(id, name);
  people.replaceChildren(...[...lobby.members.values()].map((name) => element("li", name)));
}

function element(tag, content) {
  const made = document.createElement(tag);
  made.textContent = content; // never innerHTML: others wrote it
  return made;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { value } = text;
  text.value = "";
  await client.publish("chat.lobby", value).catch((error) => state.textContent = error.message);
});

for await (const message of lobby) {
  const item = element("li", ` ${message.text()}`);
  item.prepend(element("strong", names.get(message.sender) ?? `session ${message.sender}`));
  messages.append(item);
  item.scrollIntoView();
}
