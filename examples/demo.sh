#!/bin/sh
# The whole way of a workflow on a fresh installation: written, checked, released, published in the gallery,
# subscribed to by another workspace, imported, configured, started, watched, recorded, replayed.
# Needs `foldline` on the path; keeps its data in FOLDLINE_HOME and removes it at the end.
set -eu

here=$(dirname "$0")
: "${FOLDLINE_HOME:?name the folder for the demo's data}"
export FOLDLINE_HOME
least_accuracy=0.95

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { printf '$ foldline %s\n' "$*"; }
call() { show "$@"; foldline "$@"; }
# as WORKSPACE TOKEN command...
as() {
  workspace=$1 token=$2
  shift 2
  printf '%s$ foldline %s\n' "$workspace" "$*"
  FOLDLINE_WORKSPACE=$workspace FOLDLINE_TOKEN=$token foldline "$@"
}
# value PYTHON-EXPRESSION: of the JSON document on standard input, called d
value() { python3 -c "import json, sys; d = json.load(sys.stdin); print($1)"; }
token() { foldline token create -w "$1" --role "$2" --for "$3"; }

end() {
  code=$?
  trap - EXIT INT TERM
  if [ "$code" -ne 0 ]; then
    printf '\nThe demo failed. The ends of the logs:\n' >&2
    tail -n 15 "$FOLDLINE_HOME"/logs/*.log >&2 2>/dev/null || true
  fi
  foldline down || true
  if [ "$code" -eq 0 ]; then rm -rf "$FOLDLINE_HOME"; fi
  exit "$code"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

foldline down >/dev/null 2>&1 || true
rm -rf "$FOLDLINE_HOME"

step "Start Postgres, NATS and the five services"
call up --detach
call status

step "Two workspaces, and a token for each role that somebody plays"
call workspace create lab --title "The lab that makes the workflow"
call workspace create clinic --title "The clinic that needs the result"
developer=$(token lab developer ada)
publisher=$(token lab publisher paul)
importer=$(token clinic developer ivy)
operator=$(token clinic operator oscar)
viewer=$(token clinic viewer vera)

step "The developer checks the workflow and releases it"
call check "$here/digits/digits.py"
as lab "$developer" release "$here/digits/digits.py"

step "The publisher puts it in the gallery, with an agreement"
as lab "$publisher" gallery publish digits --title "Handwritten digits" --version 1.0.0 \
  --visibility public --agreement "terms=$here/digits/terms.md" --notes "First version"

step "The clinic finds it, accepts the agreement and imports it"
as clinic "$importer" gallery list
as clinic "$importer" gallery subscribe lab/digits --accept terms
as clinic "$importer" gallery import lab/digits@1.0.0 --as read-digits --region local

step "An operator configures it, starts it and watches"
as clinic "$operator" configure read-digits --set accept_at="$least_accuracy" --set kernel=rbf
as clinic "$operator" start read-digits --watch

step "The record"
run=$(FOLDLINE_WORKSPACE=clinic FOLDLINE_TOKEN=$viewer foldline runs --json | value "d[0]['run_id']")
as clinic "$viewer" show "$run"
as clinic "$viewer" logs "$run" evaluate
as clinic "$viewer" history "$run"

step "The same run as it was in the middle of its history"
events=$(FOLDLINE_WORKSPACE=clinic FOLDLINE_TOKEN=$viewer foldline history "$run" --json | value "len(d['events'])")
as clinic "$viewer" replay "$run" --at "$((events / 2))"

step "Who may only look, may only look"
if as clinic "$viewer" start read-digits; then
  echo "a viewer could start a run" >&2
  exit 1
fi

step "The result"
accuracy=$(FOLDLINE_WORKSPACE=clinic FOLDLINE_TOKEN=$viewer foldline show "$run" --json \
  | value "d['run']['outputs']['metrics']['value']['accuracy']")
echo "accuracy $accuracy"
python3 -c "import sys; sys.exit(0 if $accuracy >= $least_accuracy else 1)" || {
  echo "that is less than $least_accuracy" >&2
  exit 1
}
