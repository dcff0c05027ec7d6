// The bearer token of this browser tab: taken from the address once, kept in sessionStorage, told to nobody.
import { useSyncExternalStore } from "react";

const KEY = "foldline.token";
const listeners = new Set<() => void>();

/** Why the last token was given up; shown on the login page. */
let farewell = "";

/** `foldline up` prints an address that ends in #token=…; it must not stay in the history. */
export function takeTokenFromAddress(): void {
  const given = new URLSearchParams(window.location.hash.slice(1)).get("token");
  if (given === null) return;
  window.history.replaceState(null, "", window.location.pathname + window.location.search);
  signIn(given);
}

export function currentToken(): string {
  return window.sessionStorage.getItem(KEY) ?? "";
}

export function signIn(token: string): void {
  farewell = "";
  window.sessionStorage.setItem(KEY, token.trim());
  tell();
}

export function signOut(reason = ""): void {
  farewell = reason;
  window.sessionStorage.removeItem(KEY);
  tell();
}

export function farewellReason(): string {
  return farewell;
}

export function useToken(): string {
  return useSyncExternalStore(subscribe, currentToken);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(): void {
  for (const listener of listeners) listener();
}
