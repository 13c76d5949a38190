#include "io/hdf5.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

#include "io/schema.hpp"
#include "temporary_folder.hpp"

namespace tenfold::hdf5 {
namespace {

std::vector<float> counted(std::size_t elements) {
  std::vector<float> values(elements);
  std::iota(values.begin(), values.end(), 1.0F);
  return values;
}

TEST(Hdf5, WhatIsWrittenIsRead) {
  const TemporaryFolder folder;
  {
    File file = File::create(folder / "a.h5");
    file.create_dataset<float>("group/deep/values", {7}).write<float>(counted(7));
    file.set_attribute("integer", std::int64_t{-5});
    file.set_attribute("text", std::string("größer"));
    file.set_attribute("integer", std::int64_t{1} << 60);
    file.write_text("long", std::string(200'000, 'x'));
    file.write_text("empty", "");
    file.write_texts("list", {"one", "", "three"});
    file.close();
  }
  const File file = File::open(folder / "a.h5");
  EXPECT_EQ(file.dataset("group/deep/values").read_all<float>(), counted(7));
  EXPECT_EQ(file.integer_attribute("integer"), std::int64_t{1} << 60);
  EXPECT_EQ(file.text_attribute("text"), "größer");
  EXPECT_EQ(file.read_text("long"), std::string(200'000, 'x'));
  EXPECT_EQ(file.read_text("empty"), "");
  EXPECT_EQ(file.read_texts("list"), (std::vector<std::string>{"one", "", "three"}));
  EXPECT_TRUE(file.has("group/deep"));
  EXPECT_FALSE(file.has("group/missing/values"));
  EXPECT_EQ(file.names(), (std::vector<std::string>{"empty", "group", "list", "long"}));
}

// The same elements must come out whichever way the range cuts rows and planes.
TEST(Hdf5, RangesOfAnyRankAreInRowMajorOrder) {
  const TemporaryFolder folder;
  File file = File::create(folder / "a.h5");
  for (const Extents& extents : std::vector<Extents>{{24}, {6, 4}, {2, 3, 4}, {2, 3, 1, 4}, {1, 24}, {24, 1}}) {
    const std::string name = "rank" + std::to_string(extents.size()) + "_" + std::to_string(extents[0]);
    Dataset dataset = file.create_dataset<float>(name, extents);
    const std::vector<float> values = counted(24);
    for (Size begin = 0; begin <= 24; ++begin) {
      for (Size end = begin; end <= 24; ++end) {
        dataset.write_range(DType::f32, std::vector<float>(24, 0.0F).data(), 0, 24);
        dataset.write_range(DType::f32, values.data(), 0, begin);
        dataset.write_range(DType::f32, values.data() + end, end, 24 - end);
        dataset.write_range(DType::f32, values.data() + begin, begin, end - begin);
        std::vector<float> all(24);
        dataset.read_range(DType::f32, all.data(), 0, 24);
        ASSERT_EQ(all, values) << name << " " << begin << " " << end;
        std::vector<float> part(end - begin);
        dataset.read_range(DType::f32, part.data(), begin, end - begin);
        ASSERT_EQ(part, std::vector<float>(values.begin() + begin, values.begin() + end));
      }
    }
    EXPECT_THROW(dataset.write_range(DType::f32, values.data(), 20, 5), Error);
  }
}

TEST(Hdf5, ScalarsAreRangesOfOneElement) {
  const TemporaryFolder folder;
  File file = File::create(folder / "a.h5");
  Dataset dataset = file.create_dataset<double>("scalar", {});
  const double value = 2.5;
  dataset.write_range(DType::f64, &value, 0, 1);
  double found = 0;
  dataset.read_range(DType::f64, &found, 0, 1);
  EXPECT_EQ(found, value);
}

TEST(Hdf5, ExtendibleChecksummedDatasetGrows) {
  const TemporaryFolder folder;
  File file = File::create(folder / "a.h5");
  Dataset dataset = file.create_dataset<float>("grows", {0}, {.chunk = {16}, .extendible = true, .fletcher32 = true});
  dataset.resize(40);
  dataset.write<float>(counted(40));
  EXPECT_EQ(dataset.read_all<float>(), counted(40));
}

TEST(Hdf5, ChecksumShowsAFlippedBit) {
  const TemporaryFolder folder;
  const std::vector<float> values = counted(1000);
  {
    File file = File::create(folder / "a.h5");
    file.create_dataset<float>("values", {1000}, {.chunk = {1000}, .fletcher32 = true}).write<float>(values);
    file.close();
  }
  std::string bytes(std::filesystem::file_size(folder / "a.h5"), '\0');
  std::fstream stream(folder / "a.h5", std::ios::in | std::ios::out | std::ios::binary);
  stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  const std::size_t at = bytes.find(std::string(reinterpret_cast<const char*>(values.data() + 500), 16));
  ASSERT_NE(at, std::string::npos);
  stream.seekp(static_cast<std::streamoff>(at));
  stream.put(static_cast<char>(bytes[at] ^ 1));
  stream.close();
  const File file = File::open(folder / "a.h5");
  EXPECT_THROW(file.dataset("values").read_all<float>(), Error);
}

TEST(Hdf5, ErrorsNameFileAndObject) {
  const TemporaryFolder folder;
  std::ofstream(folder / "plain.txt") << "not HDF5";
  EXPECT_THROW(File::open(folder / "plain.txt"), InputError);
  EXPECT_THROW(File::open(folder / "missing.h5"), InputError);
  EXPECT_THROW(File::open(folder.path()), InputError);
  EXPECT_THROW(File::create(folder / "no/such/folder.h5"), Error);
  File file = File::create(folder / "a.h5");
  file.create_dataset<float>("matrix", {2, 2});
  try {
    file.dataset("nothing");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(folder / "a.h5"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("nothing"), std::string::npos) << error.what();
  }
  EXPECT_THROW(file.dataset("matrix").read_all<float>(), Error);
  EXPECT_THROW(file.create_dataset<float>("matrix", {3}), Error);
  EXPECT_THROW(file.integer_attribute("none"), Error);
}

TEST(Hdf5, UserBlockIsLeftAlone) {
  const TemporaryFolder folder;
  {
    File file = File::create(folder / "a.h5", {.user_block = 512});
    file.create_dataset<float>("values", {7}).write<float>(counted(7));
    file.close();
  }
  std::fstream(folder / "a.h5", std::ios::in | std::ios::out | std::ios::binary) << std::string(512, 'u');
  EXPECT_EQ(File::open(folder / "a.h5").dataset("values").read_all<float>(), counted(7));
}

TEST(Schema, OnlyKnownFormatsAndVersionsAreRead) {
  const TemporaryFolder folder;
  File file = File::create(folder / "a.h5");
  EXPECT_THROW(expect_schema(file, "trace", 9), InputError);
  write_schema(file, "trace", 3);
  EXPECT_NO_THROW(expect_schema(file, "trace", 3));
  EXPECT_NO_THROW(expect_schema(file, "trace", 4));
  EXPECT_THROW(expect_schema(file, "trace", 2), InputError);
  EXPECT_THROW(expect_schema(file, "corpus", 3), InputError);
}

}  // namespace
}  // namespace tenfold::hdf5
