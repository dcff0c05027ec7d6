import { expect, test } from "vitest";

import { shortId } from "./digests";

test("a short id is the end of the started run's, with the place inside it", () => {
  expect(shortId("0192f0c4-0000-7000-8000-00000000abcd")).toBe("0000abcd");
  expect(shortId("0192f0c4-0000-7000-8000-00000000abcd.each.1.0")).toBe("0000abcd.each.1.0");
  expect(shortId("run")).toBe("run");
});
