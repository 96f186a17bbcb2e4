/** Whoever cannot make images is told what to install. */
import { expect, test } from "@jest/globals";
import { whyNoImages } from "./required-programs.ts";

const cases: [string, boolean, string[], RegExp | null][] = [
  ["nothing is missing", true, [], null],
  ["not root", false, ["mmdebstrap"], /root only; run it as root/],
  ["one program", true, ["mmdebstrap"], /without mmdebstrap; run: apt-get install mmdebstrap$/],
  [
    "two of one package",
    true,
    ["unshare", "setpriv", "buildah"],
    /without buildah, setpriv, unshare; run: apt-get install buildah util-linux$/,
  ],
  ["no Debian", true, ["apt-get", "apt-config", "mmdebstrap"], /no apt; use Debian/],
];

test.each(cases)("%s", (_, isRoot, missing, why) => {
  const said = whyNoImages({ isRoot, has: (program) => !missing.includes(program) });
  if (why === null) expect(said).toBeNull();
  else expect(said).toMatch(why);
});
