/** A real browser for tests of the web page; where there is none, those tests are skipped by name. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const browserFile = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
export const hasBrowser = browserFile !== undefined;
export const whyNoBrowser = hasBrowser ? "" : " (skipped: chromium is not installed)";

/** Nothing is fetched, reported or updated behind the test's back. */
const browserFlags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function openBrowser(): Promise<Browser> {
  if (browserFile === undefined) throw new Error("chromium is not installed");
  return chromium.launch({ executablePath: browserFile, args: browserFlags });
}
