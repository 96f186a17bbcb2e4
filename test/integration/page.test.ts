/** The web page of a pair in a real browser, and what it answers to strangers. */
import http from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Browser, Page } from "playwright-core";
import { WebSocket } from "ws";
import { hasBrowser, openBrowser, whyNoBrowser } from "./browser.ts";
import { longMs, Sandbox, type Started, until } from "./embedded-pair.ts";

let sandbox: Sandbox;
let up: Started;
let address: URL;

beforeAll(async () => {
  sandbox = new Sandbox();
  up = sandbox.start("up", "--guest", "tiny", "--memory", "16", "--web", "0");
  const [, found] = await up.says(/web page: (\S+)/);
  address = new URL(found ?? "");
  await up.says(/the pair is redundant/);
}, longMs);

afterAll(() => sandbox.close(), longMs);

describe(`in a browser${whyNoBrowser}`, () => {
  const inBrowser = hasBrowser ? test : test.skip;
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    if (!hasBrowser) return;
    browser = await openBrowser();
    page = await browser.newPage();
    page.setDefaultTimeout(120_000);
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (said) => {
      if (said.type() === "error") problems.push(said.text());
    });
    await page.goto(address.href);
  }, longMs);

  afterAll(async () => {
    await browser?.close();
  });

  const card = (role: string) => page.locator(`.half[data-role="${role}"]`);
  const stepOf = async (role: string) =>
    Number(
      (await card(role).locator('[data-field="step"]').textContent())?.replaceAll(",", "") ?? "0",
    );
  const shown = async () => (await page.locator("#terminal .xterm-rows").textContent()) ?? "";

  inBrowser(
    "the token leaves the address, both halves are shown, and their numbers grow",
    async () => {
      expect(page.url()).toBe(`http://${address.host}/`);
      await page.locator('#state[data-state="redundant"]').waitFor();
      const [primary, backup] = [await stepOf("primary"), await stepOf("backup")];
      await until("the steps to grow", async () => {
        return (await stepOf("primary")) > primary && (await stepOf("backup")) > backup;
      });
      expect(await page.locator("#network-state").textContent()).toBe("none");
      await until("the bandwidth", async () =>
        /bit\/s$/.test((await page.locator("#bandwidth").textContent()) ?? ""),
      );
    },
    longMs,
  );

  inBrowser(
    "what is typed into the page reaches the guest",
    async () => {
      await until("the guest's ticks", async () => /tick \d+/.test(await shown()));
      await page.locator("#terminal").click();
      await page.keyboard.type("hello page");
      // The guest's own ticks, in small letters, come in between.
      const capitals = async () => (await shown()).replace(/[^A-Z]/g, "");
      await until("the guest's echo", async () => (await capitals()).includes("HELLOPAGE"));
    },
    longMs,
  );

  inBrowser(
    "the buttons kill the half they name, and the page shows who is primary afterwards",
    async () => {
      for (const role of ["primary", "backup"] as const) {
        const before = await sandbox.redundant();
        await page.locator('#state[data-state="redundant"]').waitFor();
        const nonce = before.record?.[role];
        const pid = before.halves.find((half) => half.nonce === nonce)?.pid;
        await page.getByRole("button", { name: `Kill the ${role} with SIGKILL` }).click();
        await up.says(new RegExp(`.pid ${pid}. was killed by SIGKILL`));
        const after = await sandbox.redundant();
        const survivor = role === "primary" ? before.record?.backup : before.record?.primary;
        expect(after.record?.primary).toBe(survivor);
        await card("primary").getByText(String(survivor)).waitFor();
      }
      await page.locator("#events").getByText("took over as the primary").waitFor();
      expect(problems).toEqual([]);
    },
    longMs,
  );
});

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
}

function ask({ method = "GET", path = "/", headers = {} }: Asked) {
  const { hostname, port } = address;
  return new Promise<{ status: number; headers: http.IncomingHttpHeaders }>((resolve, reject) => {
    const request = http.request({ hostname, port, method, path, headers }, (response) => {
      response.resume().on("end", () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers });
      });
    });
    request.on("error", reject).end();
  });
}

/** As the browser has it after it opened the printed address. */
async function cookie(): Promise<string> {
  const { headers } = await ask({ path: `/${address.search}` });
  return headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
}

test("the page is for whoever has the token, asked under its own name", async () => {
  const own = await cookie();
  expect((await ask({})).status).toBe(403);
  expect((await ask({ path: "/?token=wrong" })).status).toBe(403);
  expect((await ask({ headers: { cookie: own, host: "evil.example" } })).status).toBe(403);
  const page = await ask({ headers: { cookie: own } });
  expect(page.status).toBe(200);
  expect(page.headers["content-security-policy"]).toMatch(/default-src 'none'; script-src 'self'/);
});

test("another site's page can neither kill nor type, even in a browser that has the cookie", async () => {
  const own = await cookie();
  const before = await sandbox.status();
  for (const origin of [undefined, "null", "http://evil.example", "http://127.0.0.1:1"]) {
    const headers = { cookie: own, ...(origin === undefined ? {} : { origin }) };
    expect((await ask({ method: "POST", path: "/kill/primary", headers })).status).toBe(403);
    for (const where of ["live", "console"]) {
      const socket = new WebSocket(`ws://${address.host}/${where}`, { headers });
      const refused = await new Promise((resolve) => {
        socket.on("error", (error) => resolve(error.message));
        socket.on("open", () => resolve("opened"));
      });
      expect(refused).toMatch(/403/);
    }
  }
  expect((await sandbox.status()).record?.epoch).toBe(before.record?.epoch);
});
