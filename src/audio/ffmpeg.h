// FFmpeg's C headers and what owns its objects.
// Used by src/audio alone.
#pragma once

#include <memory>
#include <string>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/error.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
}

namespace mainstay::audio {

struct FreeCodec {
  void operator()(AVCodecContext* context) const noexcept { avcodec_free_context(&context); }
};
struct FreePacket {
  void operator()(AVPacket* packet) const noexcept { av_packet_free(&packet); }
};
struct FreeFrame {
  void operator()(AVFrame* frame) const noexcept { av_frame_free(&frame); }
};
struct FreeSwr {
  void operator()(SwrContext* context) const noexcept { swr_free(&context); }
};
struct FreeIo {
  void operator()(AVIOContext* io) const noexcept {
    if (io != nullptr) av_freep(&io->buffer);
    avio_context_free(&io);
  }
};
struct CloseInput {
  void operator()(AVFormatContext* format) const noexcept { avformat_close_input(&format); }
};
struct FreeFormat {
  void operator()(AVFormatContext* format) const noexcept { avformat_free_context(format); }
};

using Codec = std::unique_ptr<AVCodecContext, FreeCodec>;
using Packet = std::unique_ptr<AVPacket, FreePacket>;
using FramePtr = std::unique_ptr<AVFrame, FreeFrame>;
using Swr = std::unique_ptr<SwrContext, FreeSwr>;
using Io = std::unique_ptr<AVIOContext, FreeIo>;
using Input = std::unique_ptr<AVFormatContext, CloseInput>;
using Output = std::unique_ptr<AVFormatContext, FreeFormat>;

/// What FFmpeg says of an error code; for the log.
inline std::string said(int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof text);
  return text;
}

/// Decoders that may be used, by FFmpeg's names.
inline constexpr const char* kDecoders =
    "mp3float,flac,opus,vorbis,aac,alac,pcm_s16le,pcm_s16be,pcm_u8,pcm_s24le,pcm_s24be,pcm_s32le,"
    "pcm_s32be,pcm_f32le,pcm_f64le,pcm_alaw,pcm_mulaw,adpcm_ima_wav,adpcm_ms,gsm_ms";

}  // namespace mainstay::audio
