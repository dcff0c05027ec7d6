// The present time as React state.
import { useEffect, useState } from "react";

/** Renewed every so often; not at all where `milliseconds` is null. */
export function useNow(milliseconds: number | null): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    if (milliseconds === null) return;
    setNow(new Date());
    const timer = window.setInterval(() => setNow(new Date()), milliseconds);
    return () => window.clearInterval(timer);
  }, [milliseconds]);
  return now;
}
