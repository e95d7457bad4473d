// Face: a recording to text. Inner rooms openai, gemini, wyoming and builtin implement it; the
// router alone calls it. Others see Models::transcribe().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/co.h"
#include "base/deadline.h"
#include "base/ids.h"
#include "base/result.h"
#include "models/attempt.h"
#include "models/recording.h"

namespace mainstay::models {

struct FormField {
  std::string name;
  std::string value;
};

struct TranscribeRequest {
  std::shared_ptr<const Recording> audio;  ///< never null, not empty
  std::string name;      ///< file name as it may be shown, with its ending: "question.wav"
  std::string mime;      ///< "audio/wav"; empty: not known
  std::string language;  ///< of the speech, ISO 639-1 ("en"); empty: the engine finds out
  std::string prompt;    ///< words that help; may be empty
  std::optional<double> temperature;  ///< 0 to 1
  bool translate = false;             ///< into English, whatever is spoken
  bool segments = false;              ///< with their times
  bool words = false;                 ///< with their times
  bool partial = false;               ///< pieces of the text as they are found, where it can
  bool logprobs = false;              ///< how sure it is of each token
  /// How OpenAI's servers shall cut the recording: fields of their form, as the client sent them.
  std::vector<FormField> chunking;
  TenantId tenant;
  RequestId request;
  std::string traceparent;
};

/// What OpenAI's servers say of a segment beside its words; empty: not told.
struct SegmentFacts {
  std::optional<std::uint64_t> seek;
  std::vector<std::int64_t> tokens;
  std::optional<double> temperature;
  std::optional<double> avg_logprob;
  std::optional<double> compression_ratio;
  std::optional<double> no_speech_prob;
};

/// A stretch of the recording and what is said there. Times in seconds from the start.
struct Segment {
  double start = 0;
  double end = 0;
  std::string text;
  std::optional<double> confidence;  ///< 0 to 1, where the engine says
  SegmentFacts facts = {};
};
struct SpokenWord {
  double start = 0;
  double end = 0;
  std::string text;
};

struct Transcript {
  std::string text;      ///< UTF-8; empty: nothing is said in it
  std::string language;  ///< as found or told; may be empty
  double seconds = 0;    ///< of the recording; 0: the engine does not say
  /// Asked for or not, what the engine gave. With `segments` asked for there is at least one unless
  /// the text is empty.
  std::vector<Segment> segments;
  std::vector<SpokenWord> words;
  /// What the engine says that it took, and how sure it is of each token: a JSON object and a JSON
  /// array in OpenAI's shape; empty: not told.
  std::string usage;
  std::string logprobs;
};

/// One step of hearing. Every stream ends with one that has `whole`.
struct TranscriptPiece {
  std::string delta;                ///< text that comes behind what came before; may be empty
  std::optional<Segment> segment;   ///< a stretch that is finished; its text was given in deltas
  std::optional<Transcript> whole;  ///< the end: all of it
  std::string logprobs;             ///< of `delta`, as the transcript's; empty: not told
};

/// A transcription under way. Belongs to the loop that started it; destroying it cancels the work.
class TranscriptStream {
 public:
  virtual ~TranscriptStream() = default;
  /// The next piece; nullopt after the one with `whole`. Any other end is an error, as
  /// ChatStream's.
  virtual Co<Result<std::optional<TranscriptPiece>>> next(Deadline by) = 0;
};

class Transcriber {
 public:
  virtual ~Transcriber() = default;
  /// A started transcription; the first piece may still be to come. Errors as listed at
  /// ChatProvider, and invalid "bad_audio" … (not audio, of an unsupported kind, too long).
  /// `request` and `timings` outlive the call; the stream keeps what it needs. As it is here:
  /// unsupported "upstream_cannot".
  virtual Co<Result<std::unique_ptr<TranscriptStream>>> transcribe(const TranscribeRequest& request,
                                                                   Attempt attempt,
                                                                   AttemptTimings& timings);
};

/// Reads a transcription to its end. Errors: the stream's; bad_upstream "upstream_truncated".
Co<Result<Transcript>> whole_of(std::unique_ptr<TranscriptStream> stream, Deadline by);
/// A stream of one piece, for engines that answer at once.
std::unique_ptr<TranscriptStream> one_piece(Transcript whole);
/// Looks whether a reply can be true and puts it in order: finite times, start before end, UTF-8, a
/// segment where `segments` were asked for. Errors: bad_upstream "upstream_bad_reply".
Status check_transcript(bool segments, Transcript& got);

}  // namespace mainstay::models
