import { render } from "preact";

import { App } from "./app";
import { Chat } from "./chat";
import "./style.css";

render(<App chat={new Chat(new URL("hub", document.baseURI).href)} />, document.body);
