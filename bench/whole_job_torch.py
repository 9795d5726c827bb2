"""One side of `bench.whole_job`: the loop of PyTorch's transfer-learning tutorial, its backbone frozen.

As https://docs.pytorch.org/tutorials/beginner/transfer_learning_tutorial.html has it: random crops and flips, a new
last layer, SGD of 0.001 with momentum 0.9, a tenth of it from the eighth epoch on, batches of 4 unless told otherwise,
loading in worker processes. Only the last layer has gradients. Prints one JSON object: what was reached when.
"""

import torch
from torch import nn, optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from bench.whole_job_side import Clock, Task, task_arguments
from trainer.backbones import build_classifier, choose_backbone, find_weights

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
_LEARNED = [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip()]
_MEASURED = [transforms.Resize(256), transforms.CenterCrop(224)]
_LAST = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]


def main() -> None:
    """Learn until the epochs or the seconds are through."""
    task = task_arguments(__doc__)
    torch.manual_seed(task.seed)
    learned = datasets.ImageFolder(task.train, transforms.Compose(_LEARNED + _LAST))
    measured = datasets.ImageFolder(task.test, transforms.Compose(_MEASURED + _LAST))
    loader = DataLoader(learned, batch_size=task.batch, shuffle=True, num_workers=task.threads)
    network, last = _frozen(task, len(learned.classes))
    optimiser = optim.SGD(last.parameters(), lr=0.001, momentum=0.9)
    schedule = optim.lr_scheduler.StepLR(optimiser, step_size=7, gamma=0.1)
    clock = Clock(task.started)
    for _ in range(task.epochs):
        _run_epoch(network, loader, optimiser)
        schedule.step()
        with clock.stopped():
            accuracy = _accuracy(network, DataLoader(measured, batch_size=32, num_workers=task.threads))
        clock.note(accuracy)
        if clock.seconds > task.limit_s:
            break
    clock.tell()


def _frozen(task: Task, classes: int) -> tuple[nn.Module, nn.Module]:
    """The network with a new last layer, and that layer."""
    entry, _ = choose_backbone(task.backbone, task.weights)
    network = build_classifier(entry, find_weights(entry, task.weights, download=False))
    for parameter in network.parameters():
        parameter.requires_grad = False
    before = network.get_submodule(entry.last_layer)
    if not isinstance(before, nn.Linear):
        raise SystemExit(f"the last layer of {entry.name} is no linear one; take another backbone")
    last = nn.Linear(before.in_features, classes)
    network.set_submodule(entry.last_layer, last)
    return network, last


def _run_epoch(network: nn.Module, loader: "DataLoader[tuple[torch.Tensor, int]]", optimiser: optim.Optimizer) -> None:
    network.train()
    for images, targets in loader:
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(images), targets).backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _accuracy(network: nn.Module, loader: "DataLoader[tuple[torch.Tensor, int]]") -> float:
    network.eval()
    right = total = 0
    with torch.no_grad():
        for images, targets in loader:
            right += int((network(images).argmax(1) == targets).sum())
            total += len(targets)
    return right / total


if __name__ == "__main__":
    main()
