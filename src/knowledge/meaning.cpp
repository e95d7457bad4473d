// Rounds over what lacks a vector; a question waits for none of it.
#include "knowledge/meaning.h"

#include <algorithm>

namespace mainstay::knowledge {
namespace {

constexpr Duration kPause = std::chrono::seconds(2);       ///< between two rounds
constexpr Duration kFirstRetry = std::chrono::seconds(1);  ///< after a failure, then doubled
constexpr Duration kLastRetry = std::chrono::minutes(1);
constexpr Duration kStepTime = std::chrono::minutes(2);  ///< of one batch
constexpr std::uint32_t kBatch = 256;
constexpr std::size_t kSkippedMax = 10'000;

/// The provider will refuse it again.
bool is_refusal(const Error& error) noexcept {
  return error.code == Errc::invalid || error.code == Errc::too_large;
}

/// The model's latest that is not being dropped; null: there is none.
const storage::VectorSpace* space_of(const std::vector<storage::VectorSpace>& spaces,
                                     const std::string& model) {
  const storage::VectorSpace* out = nullptr;
  for (const auto& space : spaces) {
    if (space.model == model && space.state != storage::SpaceState::leaving) out = &space;
  }
  return out;
}

}  // namespace

std::string embedded_text(const storage::ChunkToEmbed& chunk) {
  std::string out = chunk.title;
  if (!chunk.heading.empty() && chunk.heading != chunk.title) out += "\n" + chunk.heading;
  if (!out.empty()) out += "\n\n";
  return out + chunk.text;
}

Meaning::Meaning(MeaningParts parts, Metrics& metrics)
    : parts_(std::move(parts)),
      made_(metrics.counter("mainstay_knowledge_vectors_made_total",
                            "Passages that were given a vector.")),
      skipped_count_(metrics.counter("mainstay_knowledge_vectors_refused_total",
                                     "Passages that the embedding model refused.")),
      without_(metrics.counter("mainstay_knowledge_searches_by_words_alone_total",
                               "Searches that could not ask the vectors.")) {}

std::string_view name(MeaningState state) noexcept {
  switch (state) {
    case MeaningState::whole:
      return "whole";
    case MeaningState::filling:
      return "filling";
    case MeaningState::waiting:
      return "waiting";
  }
  return "waiting";
}

void Meaning::note(MeaningState state, std::optional<std::int64_t> after) {
  std::lock_guard lock(mutex_);
  state_ = state;
  after_ = after.value_or(after_);
}

MeaningProgress Meaning::progress() const {
  std::lock_guard lock(mutex_);
  MeaningProgress out;
  out.state = state_;
  out.model = parts_.settings.embedding_model;
  if (serving_) out.serves = serving_->model;
  out.after = after_;
  return out;
}

Deadline Meaning::soon() const {
  return Deadline::in(parts_.clock, kStepTime);
}

Co<Result<models::Embeddings>> Meaning::embed(std::string model, std::vector<std::string> texts,
                                              models::EmbedPurpose purpose, Deadline by) {
  const DeskInForce now = parts_.desk();
  models::EmbedWish wish;
  wish.model = std::move(model);
  wish.texts = std::move(texts);
  wish.purpose = purpose;
  auto got = co_await now.desk->embed(std::move(wish), by);
  co_return got;
}

/// The vector of each question; empty where the model refuses it or does not answer.
Co<std::vector<std::vector<float>>> Meaning::vectors_of(std::string model,
                                                        std::vector<std::string> questions,
                                                        Deadline by) {
  auto all = co_await embed(model, questions, models::EmbedPurpose::query, by);
  if (all.ok()) co_return std::move(all->vectors);
  parts_.log.debug("knowledge.no_vector", {{"error", all.error().detail}});
  std::vector<std::vector<float>> out(questions.size());
  if (!is_refusal(all.error()) || questions.size() == 1) co_return out;
  // One that is too long for the model must not cost the others theirs.
  for (std::size_t i = 0; i < questions.size(); ++i) {
    std::vector<std::string> one(1, std::move(questions[i]));
    auto got = co_await embed(model, std::move(one), models::EmbedPurpose::query, by);
    if (got.ok()) out[i] = std::move(got->vectors.front());
    if (!got.ok() && !is_refusal(got.error())) break;
  }
  co_return out;
}

Co<std::vector<Nearest>> Meaning::nearest(std::vector<std::string> questions,
                                          std::shared_ptr<const storage::DocumentSet> documents,
                                          std::uint32_t limit, Deadline by) {
  std::vector<Nearest> out(questions.size());
  std::optional<Serving> serving;
  {
    std::lock_guard lock(mutex_);
    serving = serving_;
  }
  if (!serving || questions.empty()) {
    without_.add(out.size());
    co_return out;
  }
  // A model that is slow must not hold up an answer that words can give.
  const Deadline patience = by.sooner(parts_.clock.now(), parts_.settings.embedding_patience);
  auto vectors = co_await vectors_of(serving->model, std::move(questions), patience);
  storage::VectorSearch search;
  search.space = serving->space;
  search.documents = std::move(documents);
  search.nearest = std::min(limit, storage::kNearestMax);
  std::vector<std::size_t> places;  ///< of the questions that are searched for
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    if (vectors[i].empty()) continue;
    search.queries.push_back(std::move(vectors[i]));
    places.push_back(i);
  }
  without_.add(out.size() - places.size());
  if (places.empty()) co_return out;
  auto found = co_await parts_.vectors.search(std::move(search), by);
  if (!found.ok()) without_.add(places.size());
  for (std::size_t i = 0; found.ok() && i < found->size(); ++i) {
    out[places[i]] = std::move((*found)[i]);
  }
  co_return out;
}

/// As space(); tells searches which space serves.
Co<Result<storage::VectorSpace>> Meaning::target(Deadline by) {
  auto spaces = co_await parts_.vectors.spaces(by);
  if (!spaces.ok()) co_return spaces.error();
  const storage::VectorSpace* wanted = space_of(*spaces, parts_.settings.embedding_model);
  std::optional<Serving> serving;
  for (const auto& space : *spaces) {
    if (space.state == storage::SpaceState::serving) serving = Serving{space.number, space.model};
  }
  {
    std::lock_guard lock(mutex_);
    serving_ = std::move(serving);
    // Before the model has said a word: it may be slow, or away.
    const bool serves = wanted != nullptr && wanted->state == storage::SpaceState::serving;
    if (!serves && state_ == MeaningState::whole) state_ = MeaningState::filling;
  }
  if (wanted != nullptr) co_return *wanted;
  co_return co_await make_space(by);
}

Co<Result<storage::VectorSpace>> Meaning::space(Deadline by) {
  auto spaces = co_await parts_.vectors.spaces(by);
  if (!spaces.ok()) co_return spaces.error();
  const storage::VectorSpace* wanted = space_of(*spaces, parts_.settings.embedding_model);
  if (wanted != nullptr) co_return *wanted;
  co_return co_await make_space(by);
}

Co<Result<storage::VectorSpace>> Meaning::make_space(Deadline by) {
  std::vector<std::string> probe(1, "How long is a vector?");
  auto tried = co_await embed(parts_.settings.embedding_model, std::move(probe),
                              models::EmbedPurpose::document, by);
  if (!tried.ok()) co_return tried.error();
  auto made = co_await parts_.vectors.make(parts_.settings.embedding_model, tried->dimension, by);
  co_return made;
}

/// One round: whatever lacks a vector gets one.
Co<Status> Meaning::fill(storage::VectorSpace space) {
  std::int64_t after = 0;
  for (;;) {
    auto chunks = co_await parts_.vectors.missing(space.number, after, kBatch, soon());
    if (!chunks.ok()) co_return chunks.error();
    if (chunks->empty()) co_return done();
    after = chunks->back().chunk;
    std::erase_if(*chunks, [this](const auto& chunk) { return skipped_.contains(chunk.chunk); });
    if (chunks->empty()) continue;
    note(MeaningState::filling, chunks->front().chunk - 1);
    auto embedded = co_await embed_some(space, *chunks);
    if (!embedded.ok() && is_refusal(embedded.error())) {
      embedded = co_await embed_each(space, std::move(*chunks));
    }
    if (!embedded.ok()) co_return embedded;
  }
}

Co<Status> Meaning::embed_some(storage::VectorSpace space,
                               std::vector<storage::ChunkToEmbed> chunks) {
  std::vector<std::string> texts;
  std::vector<std::int64_t> contents;
  for (const auto& chunk : chunks) {
    texts.push_back(embedded_text(chunk));
    contents.push_back(storage::content_mark(texts.back()));
  }
  auto got = co_await embed(space.model, std::move(texts), models::EmbedPurpose::document, soon());
  if (!got.ok()) co_return got.error();
  if (got->dimension != space.dimension) {
    // The name stands for another model now: a space of its own, which the next round fills.
    auto made = co_await parts_.vectors.make(space.model, got->dimension, soon());
    if (!made.ok()) co_return made.error();
    auto gone = co_await parts_.vectors.drop(space.number, soon());
    if (!gone.ok()) co_return gone;
    co_return Error::log(Errc::conflict, "the embedding model's dimension has changed");
  }
  std::vector<storage::NewVector> vectors;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    vectors.push_back({chunks[i].chunk, std::move(got->vectors[i]), contents[i]});
  }
  auto stored = co_await parts_.vectors.put(space.number, std::move(vectors), soon());
  if (!stored.ok()) co_return stored.error();
  made_.add(*stored);
  co_return done();
}

/// Those that the model refuses stay without, and are found by words.
Co<Status> Meaning::embed_each(storage::VectorSpace space,
                               std::vector<storage::ChunkToEmbed> chunks) {
  for (auto& chunk : chunks) {
    const std::int64_t number = chunk.chunk;
    std::vector<storage::ChunkToEmbed> one;
    one.push_back(std::move(chunk));
    auto embedded = co_await embed_some(space, std::move(one));
    if (embedded.ok()) continue;
    if (!is_refusal(embedded.error())) co_return embedded;
    if (skipped_.size() >= kSkippedMax) skipped_.erase(skipped_.begin());
    skipped_.insert(number);
    skipped_count_.add();
    parts_.log.warn("knowledge.passage_refused",
                    {{"chunk", number}, {"error", embedded.error().message}});
  }
  co_return done();
}

Co<Status> Meaning::make_serve(storage::VectorSpace space) {
  auto served = co_await parts_.vectors.serve(space.number, soon());
  if (!served.ok()) co_return served;
  {
    std::lock_guard lock(mutex_);
    serving_ = Serving{space.number, space.model};
  }
  parts_.log.info("knowledge.vectors_serve",
                  {{"model", space.model}, {"dimension", space.dimension}});
  auto spaces = co_await parts_.vectors.spaces(soon());
  if (!spaces.ok()) co_return spaces.error();
  for (const auto& other : *spaces) {
    if (other.number == space.number || other.model.starts_with(storage::kGivenPrefix)) continue;
    auto gone = co_await parts_.vectors.drop(other.number, soon());
    if (!gone.ok()) co_return gone;
  }
  co_return done();
}

Co<> Meaning::keep_up() {
  Duration retry = kFirstRetry;
  std::optional<std::uint64_t> whole_at;  ///< version of the documents that all have vectors
  for (;;) {
    const std::uint64_t version = parts_.documents.version();
    Status went = done();
    if (whole_at != version) {
      auto space = co_await target(soon());
      went = space.ok() ? done() : Status(space.error());
      if (went.ok()) went = co_await fill(*space);
      if (went.ok() && space->state != storage::SpaceState::serving) {
        went = co_await make_serve(*space);
      }
      if (went.ok()) whole_at = version;
      note(went.ok() ? MeaningState::whole : MeaningState::waiting);
    }
    if (!went.ok()) parts_.log.warn("knowledge.vectors_wait", {{"error", went.error().detail}});
    const Duration pause = went.ok() ? kPause : retry;
    retry = went.ok() ? kFirstRetry : std::min<Duration>(retry * 2, kLastRetry);
    auto slept = co_await sleep(parts_.clock, pause);
    if (!slept) co_return;
  }
}

}  // namespace mainstay::knowledge
