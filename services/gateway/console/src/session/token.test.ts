import { expect, test, vi } from "vitest";

import { currentToken, takeTokenFromAddress } from "./token";

test("a token in the address is taken and the address cleaned", () => {
  const stored = new Map<string, string>();
  const replaced: string[] = [];
  vi.stubGlobal("window", {
    location: { hash: "#token=abc.def", pathname: "/w/lab", search: "?x=1" },
    history: { replaceState: (_state: unknown, _title: string, address: string) => replaced.push(address) },
    sessionStorage: {
      getItem: (key: string) => stored.get(key) ?? null,
      setItem: (key: string, value: string) => stored.set(key, value),
    },
  });

  takeTokenFromAddress();

  expect(currentToken()).toBe("abc.def");
  expect(replaced).toEqual(["/w/lab?x=1"]);
});
