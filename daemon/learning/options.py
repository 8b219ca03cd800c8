"""Which steps a pipeline has: FreqAI's parameters, by FreqAI's names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOptions:
    """The part of FreqAI's ``feature_parameters`` that its ``define_data_pipeline`` reads.

    Attributes:
        principal_component_analysis: components instead of features.
        use_svm: ``use_SVM_to_remove_outliers``.
        svm_params: parameters of scikit-learn's ``SGDOneClassSVM``.
        di_threshold: ``DI_threshold``; 0: off.
        use_dbscan: ``use_DBSCAN_to_remove_outliers``.
        noise_standard_deviation: of what is added to the scaled training features; 0: none.
        outlier_protection_percentage: a method that would remove a larger share of the training rows is left out.
    """

    principal_component_analysis: bool = False
    use_svm: bool = False
    svm_params: Mapping[str, Any] = field(default_factory=lambda: {"shuffle": False, "nu": 0.01})
    di_threshold: float = 0.0
    use_dbscan: bool = False
    noise_standard_deviation: float = 0.0
    outlier_protection_percentage: float = 30.0
