// Lines of steps without what only a terminal understands: escape sequences go, other control characters and
// those that turn the direction of writing are spelled out. The same rules as on the command line (escapes.py).

const UNSAFE = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;
const SEQUENCE =
  /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]+[0-~]|[0-OQ-WYZ`-~])/g;

export function plain(text: string): string {
  return text.replace(SEQUENCE, "").replace(UNSAFE, spelled);
}

function spelled(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}
