/**
 * The tag of templates: `html` makes virtual nodes of Preact. Values become text and attributes, never markup.
 *
 * @module
 */

import htm from "htm";
import { type ComponentChild, type ComponentType, h, type VNode } from "preact";

/** What a template may hold. */
type Value =
  | ComponentChild
  | ComponentChild[]
  | ComponentType<never>
  | object
  | ((...args: never[]) => unknown);

type Template = (strings: TemplateStringsArray, ...values: Value[]) => VNode;

/** The types of `htm` describe it as a module of CommonJS, which it is not in a browser. */
export const html: Template = (htm as unknown as { bind(make: typeof h): Template }).bind(h);

export type { ComponentChild, VNode };
