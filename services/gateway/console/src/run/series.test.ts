import { expect, test } from "vitest";

import { courseOf, HEIGHT, titleOf, WIDTH } from "./series";

const flat = (value: number) => ({ min: value, max: value, last: value });

test("a course goes from the least value at the bottom to the greatest at the top", () => {
  expect(courseOf([flat(1), flat(2), flat(3)])).toBe(
    `0.0,${HEIGHT}.0 ${WIDTH / 2}.0,${HEIGHT / 2}.0 ${WIDTH}.0,0.0`,
  );
});

test("a peak within a bucket is shown", () => {
  expect(courseOf([flat(0), { min: 0, max: 9, last: 1 }]).split(" ")).toContain(`${WIDTH}.0,0.0`);
});

test("a series that never changes is a line in the middle, and one of nothing is none", () => {
  expect(courseOf([flat(5), flat(5)])).toBe(`0.0,${HEIGHT / 2}.0 ${WIDTH}.0,${HEIGHT / 2}.0`);
  expect(courseOf([])).toBe("");
});

test("a series is named by what it is of", () => {
  expect(titleOf({ kind: "metric", name: "loss", rank: 2 })).toBe("loss of rank 2");
  expect(titleOf({ kind: "progress", name: "", rank: 0 })).toBe("progress");
});
