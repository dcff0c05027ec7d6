// Markdown that people wrote: releases' docs, agreements, notes. No HTML in it is ever interpreted.
import { Typography } from "@mantine/core";
import Markdown from "react-markdown";
import remarkGfm from "remark-gfm";

import classes from "./Prose.module.css";

const PLUGINS = [remarkGfm];

export function Prose({ children }: { children: string }) {
  return (
    <Typography fz="sm" className={classes.prose}>
      <Markdown remarkPlugins={PLUGINS} components={COMPONENTS}>
        {children}
      </Markdown>
    </Typography>
  );
}

const COMPONENTS: React.ComponentProps<typeof Markdown>["components"] = {
  // The page has its own titles above these.
  h1: ({ children }) => <h3>{children}</h3>,
  h2: ({ children }) => <h4>{children}</h4>,
  h3: ({ children }) => <h5>{children}</h5>,
  // A table without a title has an empty head cell, which screen readers stumble over.
  th: ({ children }) => (children ? <th>{children}</th> : <td />),
  a: ({ href, children }) => (
    <a href={href} target="_blank" rel="noreferrer noopener">
      {children}
    </a>
  ),
  // A picture of somebody else's site would tell it who reads this.
  img: ({ alt }) => <em>{alt}</em>,
};
