// The engine's part in PDFs and images: the line before the decoders. No process is started before
// the first file comes.
#include "app/engine.h"

namespace mainstay::app {

/// Stopped after the listener, so that requests under way keep their decoders.
Status Engine::start_decoders() {
  make_meaning();
  Part part{"decoders",
            [this] {
              decoders_ = std::make_unique<media::Decoders>(
                  settings_.media, media::find_decoder(settings_.media.decoder), clock_, *log_,
                  metrics_);
              archives_ = std::make_unique<media::Archives>(
                  settings_, media::find_decoder(settings_.media.decoder), clock_, *log_, metrics_);
              return done();
            },
            [this] {
              archives_->close();
              decoders_->close();
              return done();
            }};
  return lifecycle_.start(std::move(part));
}

}  // namespace mainstay::app
