/** What of the user's environment reaches kubectl. */
import { expect, test } from "@jest/globals";
import { withoutProxies } from "./kubectl.ts";

test("no proxy's variable reaches kubectl, however it is written; all else does", () => {
  const proxies = ["http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "no_proxy", "Http_Proxy"];
  const environment = Object.fromEntries(proxies.map((name) => [name, "http://192.0.2.1:3128"]));
  const others = { HOME: "/root", GOPROXY: "here", MY_HTTP_PROXY: "there" };
  expect(withoutProxies({ ...environment, ...others })).toEqual(others);
});
