// The form that is sent: fields, files, what a name may not do.
#include <gtest/gtest.h>

#include "net/form_writer.h"

namespace mainstay::net {
namespace {

TEST(FormWriter, fields_and_files_stand_between_boundaries_in_their_order) {
  FormWriter form("B");
  form.field("model", "m");
  form.begin_file("data", "a.bin", "audio/wav");
  form.bytes("one");
  form.bytes("two");
  form.field("last", "");
  form.end();
  EXPECT_EQ(form.take(),
            "--B\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n"
            "--B\r\ncontent-disposition: form-data; name=\"data\"; filename=\"a.bin\"\r\n"
            "content-type: audio/wav\r\n\r\nonetwo\r\n"
            "--B\r\ncontent-disposition: form-data; name=\"last\"\r\n\r\n\r\n"
            "--B--\r\n");
  EXPECT_EQ(form.content_type(), "multipart/form-data; boundary=B");
}

TEST(FormWriter, bytes_that_come_from_elsewhere_stand_between_two_takes) {
  FormWriter form("B");
  form.begin_file("file", "f");
  const std::string head = form.take();
  form.end();
  EXPECT_TRUE(head.ends_with("content-type: application/octet-stream\r\n\r\n"));
  EXPECT_EQ(form.take(), "\r\n--B--\r\n");
}

TEST(FormWriter, a_form_of_fields_alone_ends_with_its_boundary) {
  FormWriter form("B");
  form.field("a", "1");
  (void)form.take();
  form.end();
  EXPECT_EQ(form.take(), "--B--\r\n");
}

TEST(FormWriter, a_name_makes_no_line_and_no_member_of_its_own) {
  FormWriter form("B");
  form.begin_file("file", "a\"; x=\"\r\n\x7f\\b", "audio/wav\r\ny: z");
  EXPECT_EQ(form.take(),
            "--B\r\ncontent-disposition: form-data; name=\"file\"; "
            "filename=\"a%22; x=%22b\"\r\ncontent-type: audio/wavy: z\r\n\r\n");
}

}  // namespace
}  // namespace mainstay::net
