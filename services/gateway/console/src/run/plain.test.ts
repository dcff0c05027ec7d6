import { describe, expect, it } from "vitest";

import { plain } from "./plain";

describe("lines of steps", () => {
  it("stay as they are where they are text", () => {
    expect(plain("Épocha 1\t日本 <b>bold</b>")).toBe("Épocha 1\t日本 <b>bold</b>");
  });

  it("lose colours and what else a terminal would obey", () => {
    expect(plain("is \x1b[1;31mred\x1b[0m\x1b]0;title\x07\x1b[2J!")).toBe("is red!");
  });

  it("spell out other control characters", () => {
    expect(plain("a\x00b\x1b]0;no end\u202e")).toBe("a\\x00b\\x1b]0;no end\\u202e");
  });
});
