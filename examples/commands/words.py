"""Which word of a text is the most frequent? With programs that every Unix machine has, and two processes."""

from __future__ import annotations

import foldline as fl

split = fl.command(
    "split",
    line="""tr -sc '[:alpha:]' '\\n' < "$INPUT_TEXT" | tr '[:upper:]' '[:lower:]' > "$OUTPUTS/words.txt" """,
    inputs={"text": fl.File},
    outputs={"words": fl.File},
    title="Split into words",
)
count = fl.command(
    "count",
    script="count.sh",
    inputs={"words": fl.File, "longer_than": int},
    outputs={"top": "json", "most": str},
    variables={"LC_ALL": "C"},
    metrics="metrics.json",
    title="Count them",
)
shout = fl.command(
    "shout",
    arguments=["python3", "-c", "import sys; print(sys.argv[1].upper() + '!')", "$(INPUT_WORD)"],
    inputs={"word": str},
    title="Say it",
)


@fl.step
def write(text: str) -> fl.File:
    """A text as a file, as programs like them."""
    file = fl.File("text.txt")
    file.write_text(text)
    return file


@fl.step(ranks=2, cpu=0.5, title="Share the work")
def share(top: list) -> int:
    """How often the words occur together: each rank adds up every second one, rank 0 adds what it is told."""
    import os
    import socket
    import time

    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    meeting = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    mine = sum(int(number) for _, number in top[rank::size])
    print(f"rank {rank} of {size}: {mine}")
    if rank == 0:
        with socket.create_server(meeting) as server:
            for _ in range(size - 1):
                link, _ = server.accept()
                with link:
                    mine += int(link.makefile().read())
        return mine
    for _ in range(600):  # rank 0 may not be there yet
        try:
            with socket.create_connection(meeting) as link:
                link.sendall(str(mine).encode())
                return 0
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise TimeoutError("rank 0 did not come")


@fl.workflow(title="Frequent words")
def words(
    text: str = fl.param("the cat and the dog and the bird", title="Text"),
    longer_than: int = fl.param(2, ge=0, title="Only words with more letters than"),
):
    found = count(split(write(text)), longer_than)
    shout(found.most)
    return {"most": found.most, "top": found.top, "total": share(found.top)}
