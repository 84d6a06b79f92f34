/**
 * Where the page begins.
 *
 * @module
 */

/// <reference lib="dom" />

import { connect } from "../../client/browser.ts";
import { start } from "./start.ts";

start(connect, document.querySelector("#app")!);
