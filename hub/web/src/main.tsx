import { render } from "preact";

import { tokenOf } from "./address";
import { Chat } from "./chat";
import { recall, remember } from "./memory";
import { App } from "./view/app";
import "./style/theme.css";
import "./style/frame.css";
import "./style/log.css";
import "./style/parts.css";

/**
 * Takes the token from the address and remembers it for this tab. It is removed from the address, which
 * people copy, and which others can see.
 */
function takeToken(): string | undefined {
  const found = tokenOf(location.hash);
  if (!found) return undefined;
  history.replaceState(history.state, "", location.pathname + location.search + found.rest);
  remember("session", "token", found.token);
  return found.token;
}

const token = takeToken() ?? recall("session", "token");
const chat = new Chat(new URL("hub", document.baseURI).href, token);

addEventListener("hashchange", () => {
  const other = takeToken();
  if (other) chat.useToken(other);
});
// A user who returns to the page, or whose network is back, need not wait for the next attempt.
addEventListener("online", () => chat.tryNow());
document.addEventListener("visibilitychange", () => document.hidden || chat.tryNow());

render(<App chat={chat} />, document.body);
