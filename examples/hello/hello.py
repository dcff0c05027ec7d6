"""The smallest workflow: two steps and a parameter."""

import foldline as fl


@fl.step
def greet(name: str) -> str:
    greeting = f"Hello, {name}!"
    print(greeting)
    return greeting


@fl.step
def count(text: str) -> int:
    return len(text)


@fl.workflow(title="Hello")
def hello(name: str = fl.param("world", title="Whom to greet")):
    greeting = greet(name)
    return {"greeting": greeting, "length": count(greeting)}
