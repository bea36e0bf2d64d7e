import { render } from "preact";

import { tokenOf } from "./address";
import { Chat } from "./chat";
import { recall, remember } from "./memory";
import { App } from "./view/app";
import "./style/theme.css";
import "./style/frame.css";
import "./style/log.css";
import "./style/parts.css";

/** A token in the address is remembered for this tab, and taken from the address: that is copied, and shows over shoulders. */
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
// Whoever looks again after a while, or has the network back, need not wait for the next try.
addEventListener("online", () => chat.tryNow());
document.addEventListener("visibilitychange", () => document.hidden || chat.tryNow());

render(<App chat={chat} />, document.body);
