#include "notes/note_window.hpp"

#include <gtest/gtest.h>

namespace tenfold {
namespace {

TEST(NoteWindow, ReachesKTokensToEachSide) {
  EXPECT_EQ(NoteWindow::clip(20, 23, 8, 128), (NoteWindow{12, 31}));
}

TEST(NoteWindow, EndsWithTheSequence) {
  EXPECT_EQ(NoteWindow::clip(1, 3, 8, 128), (NoteWindow{0, 11}));
  EXPECT_EQ(NoteWindow::clip(120, 127, 8, 128), (NoteWindow{112, 128}));
  EXPECT_EQ(NoteWindow::clip(3, 4, 100, 7), (NoteWindow{0, 7}));
}

TEST(NoteWindow, OfNoReachIsTheWord) {
  EXPECT_EQ(NoteWindow::clip(5, 6, 0, 10), (NoteWindow{5, 6}));
}

}  // namespace
}  // namespace tenfold
