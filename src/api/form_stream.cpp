// Pieces of the body are fed to the reader as it asks for them.
#include "api/form_stream.h"

namespace mainstay::api {

Result<FormStream> FormStream::open(Context& context, Bytes most, const char* param,
                                    std::uint32_t parts_max) {
  auto boundary = boundary_of(context.exchange.head().header("content-type"));
  if (!boundary.ok()) return boundary.error();
  return FormStream(context, most, param, Multipart(*boundary, parts_max));
}

Co<Result<Multipart::Event>> FormStream::next() {
  for (;;) {
    auto event = reader_.next();
    if (!event.ok()) co_return event;
    const bool ended = *event == Multipart::Event::end;
    if (!ended && *event != Multipart::Event::more) co_return event;
    auto piece = co_await context_->exchange.read_piece(most_, context_->by);
    if (!piece.ok()) co_return piece.error();
    if (piece->empty() && ended) co_return Multipart::Event::end;
    if (piece->empty()) {
      co_return Error::say(Errc::invalid, "bad_multipart",
                           "The multipart body ends before its last boundary.", param_);
    }
    reader_.feed_all(std::move(*piece));
  }
}

}  // namespace mainstay::api
