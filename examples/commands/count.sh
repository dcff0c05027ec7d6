#!/bin/sh -eu
# Most frequent words first, as JSON pairs; the most frequent one as text; how many there were as a metric.
awk -v least="$INPUT_LONGER_THAN" 'length($0) > least' "$INPUT_WORDS" | sort | uniq -c | sort -k1,1nr -k2 > counted
awk 'BEGIN { printf "[" } { printf "%s[\"%s\", %d]", (NR > 1 ? ", " : ""), $2, $1 } END { print "]" }' \
  counted > "$OUTPUTS/top.json"
head -n 1 counted | awk '{ print $2 }' > "$OUTPUTS/most"
printf '{"different": %d}' "$(wc -l < counted)" > metrics.json
