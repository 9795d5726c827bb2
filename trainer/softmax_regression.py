"""Multinomial logistic regression with an L2 penalty, for several subsets of the same rows at once.

All fits share the feature matrix, so one matrix product serves all of them; they differ in the weight of each row.
"""

import torch
from torch import Tensor

from trainer.curvature import Curvature

# A sample that is certain bends the objective hardly at all; the preconditioner must stay invertible all the same.
_LEAST_UNCERTAINTY = 1e-6


class SoftmaxRegression:
    """For each fit p: mean log loss of its rows + l2 / 2 * |weight|^2 on features standardised over its rows.

    Parameters have shape (P, K, D + 1): the weights on standardised features, then the bias, which is not penalised.
    (The means over a fit's rows need not be subtracted: the bias takes them up.)

    Args:
        features: shape (N, D), standardised over all rows.
        targets: shape (N,), class indices.
        members: shape (N, P), the weight of the row in the fit, such as 1; 0 where it does not belong to it.
        std: shape (P, D), standard deviations over each fit's rows; never 0.
        class_count: K.
    """

    def __init__(self, features: Tensor, targets: Tensor, members: Tensor, std: Tensor, *, class_count: int) -> None:
        self._features = features
        self._true_class = torch.nn.functional.one_hot(targets, class_count).to(features.dtype)[:, None, :]
        self._targets = targets[:, None, None].expand(-1, members.shape[1], 1)
        self._row_weights = members / members.sum(0)
        self._inverse_std = (1 / std)[:, None, :]
        self.dtype = features.dtype
        self._curvature: Curvature | None = None
        self._l2 = self._bias_curvature = self._weighted_for = 0.0
        self.shape = (members.shape[1], class_count, features.shape[1] + 1)
        self.logits = torch.zeros(len(features), *self.shape[:2], dtype=self.dtype)
        """Of the last evaluation, for all rows and fits: shape (N, P, K)."""
        self.losses = torch.empty(0)
        """Of the last evaluation, the log loss of each row under each fit, in nats: shape (N, P)."""

    def set_strength(self, l2: float) -> None:
        """Choose the strength; must come before `precondition`. The minimum is expected near the last evaluation."""
        self._l2 = l2
        row_weights = (_uncertainty(self.logits.softmax(2)) * self._row_weights).mean(1)
        self._bias_curvature = float(row_weights.sum())
        if self._curvature is None or self._bias_curvature < self._weighted_for / 2:
            self._curvature, self._weighted_for = Curvature(self._features, row_weights), self._bias_curvature
        self._curvature.set_scale(self._bias_curvature / self._weighted_for, l2)

    def evaluate(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Objectives (P,) and gradients (P, K, D + 1)."""
        log_probabilities = self._forward(parameters)
        weight = parameters[..., :-1]
        values = (self.losses * self._row_weights).sum(0) + self._l2 / 2 * weight.square().flatten(1).sum(1)
        residuals = (log_probabilities.exp_() - self._true_class) * self._row_weights[:, :, None]
        by_weight = residuals.flatten(1).T @ self._features
        gradients = torch.empty_like(parameters)
        gradients[..., :-1] = by_weight.view(weight.shape) * self._inverse_std + self._l2 * weight
        gradients[..., -1] = residuals.sum(0)
        return values, gradients

    def precondition(self, gradients: Tensor) -> Tensor:
        """The gradients times the inverse of a Hessian in which all fits and classes share each row's uncertainty."""
        direction = torch.empty_like(gradients)
        weight = gradients[..., :-1]
        if self._curvature is None:
            raise RuntimeError("set_strength comes first")
        direction[..., :-1] = self._curvature.solve(weight.flatten(0, 1)).view(weight.shape)
        direction[..., -1] = gradients[..., -1] / self._bias_curvature
        return direction

    def _forward(self, parameters: Tensor) -> Tensor:
        scaled = (parameters[..., :-1] * self._inverse_std).flatten(0, 1)
        fits, classes, _ = self.shape
        self.logits = (self._features @ scaled.T).view(-1, fits, classes) + parameters[..., -1]
        log_probabilities = self.logits.log_softmax(2)
        self.losses = -log_probabilities.gather(2, self._targets).squeeze(2)
        return log_probabilities


def _uncertainty(probabilities: Tensor) -> Tensor:
    """How much each row bends each fit's objective, shape (N, P), from probabilities of shape (N, P, K).

    The second derivative by class k is p_k (1 - p_k). Of many classes most are out of the question for a row, and the
    plain mean over them would say that it hardly matters; weighted by itself, the mean speaks for those that are not.
    """
    spread = probabilities * (1 - probabilities)
    mean = spread.square().sum(2) / spread.sum(2).clamp_min(_LEAST_UNCERTAINTY)
    return mean.clamp_min(_LEAST_UNCERTAINTY)
