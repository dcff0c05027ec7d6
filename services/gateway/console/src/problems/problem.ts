// What went wrong and what to do about it, from any error that a call can end with.
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";

export interface Problem {
  title: string;
  /** The server's own sentence. */
  message: string;
  /** What to do next. */
  advice: string;
  /** Stable word of the error, e.g. INVALID_PARAMETERS; empty where there is none. */
  reason: string;
  /** Problem by parameter name, for forms. */
  parameters: Record<string, string>;
  /** Trying the same again may help. */
  passing: boolean;
}

interface ErrorInfo {
  reason: string;
  metadata: Record<string, string>;
}

const ERROR_INFO = "google.rpc.ErrorInfo";
const PARAMETER = "parameter ";

const WORDS: Partial<Record<Code, [title: string, advice: string]>> = {
  [Code.Unauthenticated]: ["You are not signed in", "Sign in with a valid token."],
  [Code.PermissionDenied]: [
    "You may not do this",
    "Ask an administrator of the workspace for a token with this role.",
  ],
  [Code.NotFound]: [
    "Not found",
    "Check the address, or go back to the list: it may have another name or workspace.",
  ],
  [Code.AlreadyExists]: ["It exists already", "Choose another name."],
  [Code.InvalidArgument]: ["The server refused the values", "Correct them and try again."],
  [Code.FailedPrecondition]: ["Not possible now", "Do what the message asks for, then try again."],
  [Code.OutOfRange]: ["Out of range", "Choose a value inside the range that the message names."],
  [Code.Aborted]: ["Somebody else was faster", "Reload the page to see the change, then try again."],
  [Code.ResourceExhausted]: ["Too much at once", "Wait a moment, or ask for less."],
  [Code.Unavailable]: [
    "A service does not answer",
    "Try again in a moment. If it lasts, ask your operator to look at “foldline status”.",
  ],
  [Code.DeadlineExceeded]: [
    "It took too long",
    "Try again in a moment. If it lasts, ask your operator to look at “foldline status”.",
  ],
  [Code.Unimplemented]: [
    "The server does not know this call",
    "Console and server are of different versions: reload the page.",
  ],
  [Code.Unknown]: [
    "The server could not be reached",
    "Check that Foldline runs (“foldline status”) and that you are connected.",
  ],
};
const OTHERWISE: [string, string] = [
  "Something failed on the server",
  "Try again. If it stays, give your operator the time and this message: the log has the cause.",
];
const PASSING = new Set([Code.Unavailable, Code.DeadlineExceeded, Code.Unknown, Code.Aborted, Code.Internal]);

export function describe(error: unknown): Problem {
  const known = ConnectError.from(error);
  const info = errorInfo(known);
  const [title, advice] = WORDS[known.code] ?? OTHERWISE;
  return {
    title,
    message: known.rawMessage,
    advice,
    reason: info?.reason ?? "",
    parameters: parameterProblems(info?.metadata ?? {}),
    passing: PASSING.has(known.code),
  };
}

/** Is it worth asking again without a person's doing? */
export function isPassing(error: unknown): boolean {
  return describe(error).passing;
}

function parameterProblems(metadata: Record<string, string>): Record<string, string> {
  const named = Object.entries(metadata).filter(([key]) => key.startsWith(PARAMETER));
  return Object.fromEntries(named.map(([key, problem]) => [key.slice(PARAMETER.length), problem]));
}

function errorInfo(error: ConnectError): ErrorInfo | undefined {
  for (const detail of error.details) {
    if ("type" in detail && detail.type === ERROR_INFO) return readErrorInfo(detail.value);
  }
  return undefined;
}

/** google.rpc.ErrorInfo by hand: reason = 1, metadata = map 3. Too small to generate code for. */
export function readErrorInfo(bytes: Uint8Array): ErrorInfo {
  const info: ErrorInfo = { reason: "", metadata: {} };
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 1) info.reason = reader.string();
    else if (field === 3) {
      const [key, value] = readEntry(reader.bytes());
      info.metadata[key] = value;
    } else reader.skip(wire);
  }
  return info;
}

function readEntry(bytes: Uint8Array): [string, string] {
  const entry: [string, string] = ["", ""];
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 1 || field === 2) entry[field - 1] = reader.string();
    else reader.skip(wire);
  }
  return entry;
}
