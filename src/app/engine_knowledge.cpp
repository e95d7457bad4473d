// The engine's part in knowledge: search by meaning, where a model for it is configured.
#include "app/engine.h"
#include "jobs/document_upkeep.h"
#include "jobs/embedding_upkeep.h"
#include "jobs/upload_upkeep.h"

namespace mainstay::app {

/// Before the first generation, which takes it along.
void Engine::make_meaning() {
  if (settings_.knowledge.embedding_model.empty()) return;
  const auto desk = [this] {
    auto generation = live_->get();
    knowledge::DeskInForce out;
    out.desk = &generation->models().embeddings();
    out.held = std::move(generation);
    return out;
  };
  meaning_ = std::make_unique<knowledge::Meaning>(
      knowledge::MeaningParts{settings_.knowledge, clock_, *log_, stores_->documents(),
                              stores_->vectors(), desk},
      metrics_);
}

/// Once the providers were looked for.
void Engine::keep_knowledge() {
  loops_->spawn("documents.keep", [this] {
    return jobs::keep_documents(clock_, *log_, stores_->documents(), stores_->jobs());
  });
  if (shelf_ && settings_.jobs.runs != "shared") {
    loops_->spawn("uploads.keep", [this] {
      return jobs::keep_uploads(clock_, *log_, stores_->uploads(), *shelf_);
    });
  }
  loops_->spawn("archives.tidy", [this] { return archives_->tidy(); });
  loops_->spawn("embeddings.keep", [this] {
    const auto let_go = [this] { live_->get()->models().embeddings().shrink_cache(1); };
    return jobs::keep_embeddings(clock_, *log_, stores_->vectors(), stores_->embedding_cache(),
                                 let_go);
  });
  if (meaning_) loops_->spawn("vectors.keep", [this] { return meaning_->keep_up(); });
}

}  // namespace mainstay::app
