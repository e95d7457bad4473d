// The router: from a model's name to an answer, through cache, coalescing, candidates, retries.
// Built and owned by app; everyone else sees models.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/audio_streams.h"
#include "models/cache.h"
#include "models/flight.h"
#include "models/models.h"
#include "models/route.h"
#include "models/streams.h"

namespace mainstay::models {

/// The built-in engine of speech, and what packs its sound.
struct SpeechParts {
  std::unique_ptr<ChatProvider> engine;  ///< not null
  std::unique_ptr<SpeechPacker> packer;  ///< null: sound goes out as it was made
};

/// Any loop may call. Outlives the answers' streams it gave out. The cache belongs to it: other
/// settings mean another router and an empty cache.
class Router final : public Models {
 public:
  /// `providers` in the order `auto` prefers them; `built_in` answers from documents.
  Router(std::shared_ptr<const Settings> settings, std::vector<NamedProvider> providers,
         std::unique_ptr<ChatProvider> built_in, Tools tools);

  Co<Result<Answer>> chat(ChatRequest request, Deadline by) override;
  Co<Result<Answer>> embed(EmbedRequest request, std::string model, Deadline by) override;
  Co<Result<Answer>> transcribe(TranscribeRequest request, std::string model, Deadline by) override;
  Co<Result<Answer>> speak(SpeechRequest request, std::string model, Deadline by) override;
  Co<Result<std::vector<Voice>>> voices(Deadline by) override;
  Co<Result<std::vector<ModelInfo>>> list(Deadline by) override;
  std::vector<ProviderState> providers() const override;
  std::optional<ModelInfo> find(const std::string& model) const override;
  std::string limited_as(const std::string& model) const override;
  std::size_t forget(TenantId tenant) override;

  /// Before the first request.
  void add_speech(SpeechParts parts);
  /// Asks each provider that is due for its models, one after the other; each has twice the
  /// connect timeout. For start-up, before the first request.
  Co<> probe(Deadline by);
  /// Probes the providers that are due and drops expired answers. app calls it every
  /// discover_interval, on one loop.
  Co<> look();
  /// Gives back a share (0 to 1) of the cache's memory; returns bytes freed.
  std::size_t shrink_cache(double fraction) {
    return cache_.shrink(fraction) + speech_cache_.shrink(fraction);
  }
  std::size_t cache_bytes() const { return cache_.bytes() + speech_cache_.bytes(); }

 private:
  /// One question on its way.
  struct Ask {
    ChatRequest request;
    Deadline by;
    TimePoint started;
    Attribution at;
    Plan plan;
    std::optional<CacheKey> key;  ///< set when a cached answer or a shared call may serve
    bool keep = false;            ///< the answer may be kept
    std::string failures;         ///< "openai: upstream_error, …" for the client's sentence
    std::optional<Error> error;   ///< the failure worth telling
    /// How the first candidate's first call failed, which chat() makes itself.
    std::optional<Error> first;
    const EmbedRequest* embed = nullptr;      ///< vectors are asked for, not an answer
    const TranscribeRequest* hear = nullptr;  ///< a transcript is
    const SpeechRequest* say = nullptr;       ///< speech is
  };

  std::optional<Answer> from_cache(Ask& ask);
  Answer from(const ResponseCache::Found& found, Ask& ask, CacheState state);
  Co<Result<Answer>> follow(Ask& ask, std::shared_ptr<Flight> flight);
  /// Keeps what may be kept, and tells the followers, if there is a lead.
  void conclude(const Ask& ask, std::optional<Lead> lead, Result<Answer>& got);
  /// The answer from candidates, or a stale one, or the built-in answerer's.
  Co<Result<Answer>> answer(Ask& ask);
  Co<Result<Answer>> try_candidates(Ask& ask);
  Co<Result<Answer>> try_one(Ask& ask, Candidate& candidate, bool last);
  Co<Result<Answer>> attempt(Ask& ask, const Candidate& candidate);
  Co<Result<Answer>> start_stream(Ask& ask, const Candidate& candidate, Upstream::Call call,
                                  Attempt attempt);
  Co<Result<Answer>> embed_at(Ask& ask, const Candidate& candidate, Upstream::Call call,
                              Attempt attempt);
  Result<Plan> audio_plan(std::string& model, bool hear) const;
  Co<Result<Answer>> answer_audio(Ask& ask);
  Co<Result<Answer>> hear_at(Ask& ask, const Candidate& candidate, Upstream::Call call,
                             Attempt attempt);
  Co<Result<std::unique_ptr<SpeechStream>>> spoken(const SpeechRequest& request,
                                                   const Candidate& candidate, Attempt attempt,
                                                   AttemptTimings& timings);
  Co<Result<Answer>> say_at(Ask& ask, const Candidate& candidate, Upstream::Call call,
                            Attempt attempt);
  KeepSpeech keep_speech(const Ask& ask, const Answer& answer);
  Co<Status> name_model(Candidate& candidate, Deadline by);
  std::optional<Duration> again(const Ask& ask, Upstream& upstream, const Error& error,
                                std::uint32_t attempt, bool last, bool called);
  Answer finished(Ask& ask, const Candidate& candidate, const AttemptTimings& timings,
                  TimePoint now);
  void note(Ask& ask, const Candidate& candidate, const Error& error);
  Error told(Ask& ask) const;
  Duration longest_silence() const;
  bool keepable(const Ask& ask, const Answer& answer) const;
  Keep keep_of(const Ask& ask, const Answer& answer);
  void keep_reply(const Ask& ask, const Answer& answer);
  Deadline probe_deadline(Deadline by) const;

  const std::shared_ptr<const Settings> settings_;
  Tools tools_;
  std::vector<std::shared_ptr<Upstream>> upstreams_;  ///< the built-in answerer last
  std::shared_ptr<Upstream> speech_;      ///< the built-in engine of speech; null: there is none
  std::unique_ptr<SpeechPacker> packer_;  ///< null: sound goes out as it was made
  RouteTable table_;
  ResponseCache cache_;
  SpeechCache speech_cache_;
  FlightTable flights_;
  Counter& coalesced_;
  Counter& retries_;
  Counter& fallbacks_;
  Counter& degraded_;
  Counter& stale_;
};

}  // namespace mainstay::models
