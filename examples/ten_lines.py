import dspex
from dspex.evaluate import Evaluate
from dspex.metrics import exact_match
from dspex.teleprompt import BootstrapFewShot

dspex.configure(lm=dspex.LM("local/gemma-3-270m"))  # or "openai/gpt-4o-mini"
train, dev = dspex.load("capitals.csv", inputs=["country"]).split(train=40, seed=0)
program = dspex.Predict("country -> capital")
evaluate = Evaluate(devset=dev, metric=exact_match("capital"))
better = BootstrapFewShot(metric=exact_match("capital")).compile(program, trainset=train)
print(evaluate(program), evaluate(better), sep="\n")
better.save("capital.json")
