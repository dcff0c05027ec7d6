// Parts of the address that the routes guarantee.
import { useParams } from "react-router";

export function useParam(name: string): string {
  const value = useParams()[name];
  if (value === undefined) throw new Error(`the address has no ${name}`);
  return value;
}

export function useWorkspace(): string {
  return useParam("workspace");
}
