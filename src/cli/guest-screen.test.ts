import { expect, test } from "@jest/globals";
import { GuestScreen } from "./guest-screen.ts";

function screen() {
  let text = "";
  const shown = new GuestScreen({
    write: (data) => {
      text += typeof data === "string" ? data : Buffer.from(data).toString("latin1");
    },
  });
  return { shown, text: () => text, show: (value: string) => shown.show(Buffer.from(value)) };
}

const notice = (text: string) => `\x1b[2m[lockstep] ${text}\x1b[22m\r\n`;

test("a notice gets a line of its own", () => {
  const { shown, show, text } = screen();
  show("# ls");
  shown.notice("one");
  shown.notice("two");
  expect(text()).toBe(`# ls\r\n${notice("one")}\r${notice("two")}`);
});

test.each([
  ["a colour", "\x1b[3", "1mred"],
  ["the byte after escape", "\x1b", "7"],
  ["a window title", "\x1b]2;guest", "\x07"],
  ["a title that ends with a string terminator", "\x1b]2;guest\x1b", "\\"],
  ["a character set", "\x1b(", "B"],
])("a notice waits until %s is complete", (_, first, second) => {
  const { shown, show, text } = screen();
  show(first);
  shown.notice("later");
  shown.title("title");
  expect(text()).toBe(first);
  show(second);
  expect(text()).toBe(`${first}${second}\r\n${notice("later")}`);
});

test("the title is written only when it changes", () => {
  const { shown, text } = screen();
  shown.title("one");
  shown.title("one");
  shown.title("two");
  expect(text()).toBe("\x1b]2;one\x07\x1b]2;two\x07");
});
