// What happens after every epoch of fine-tuning: one view of each validation clip is classified,
// the figures go to the log and to validation.jsonl, and the best parameters so far are kept.
#pragma once

#include "runtime/trainer.h"
#include "tools/view_classifier.h"

namespace grimace {

class Validation {
 public:
  // `recipe` is that of a run; its val_metric decides what is best, ties go to the earlier epoch.
  Validation(const Recipe& recipe, LabelledClips clips);

  // With the averaged parameters where the run keeps them.
  void after_epoch(Trainer& trainer, int64_t epoch);

 private:
  // The value of val_metric in the best checkpoint, if it is of an epoch before this step.
  std::optional<double> best_before(int64_t step) const;

  const Recipe recipe_;
  int64_t classes_;
  std::unique_ptr<ViewDataset> views_;
  ViewClassifier classifier_;
};

}  // namespace grimace
