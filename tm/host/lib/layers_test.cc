// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "common/command.h"
#include "common/error.h"
#include "common/file.h"
#include "tm/host/lib/disk_layers.h"
#include "tm/host/lib/layer_book.h"

namespace fs = std::filesystem;

namespace host {
namespace {

class Layers : public ::testing::Test {
 protected:
  void make_disk(const fs::path& file) {
    fs::create_directories(file.parent_path());
    Command{"qemu-img", "create", "-q", "-f", "qcow2", file.string(), "1M"}.output();
  }
  TempDir dir;
  const fs::path vm = dir.path();
  const fs::path link = vm / "disk.0";
};

TEST_F(Layers, ThePlainDiskBecomesLayerZero) {
  make_disk(link);
  DiskLayers disk = look_at_layers(vm, 0, true);
  EXPECT_TRUE(disk.plain);
  EXPECT_EQ(disk.layers(), 0u);
  adopt(disk);
  adopt(disk);  // one that died in between
  EXPECT_TRUE(same_file(link, vm / "disk.0.snap/0"));
  EXPECT_EQ(free_layer_name(disk, 0), "1");
  make_layer(disk.file_of("1"), disk.file_of("0"));
  relink(disk.link, link_text(disk, "1"));
  EXPECT_EQ(fs::read_symlink(link), "disk.0.snap/1");
  disk = look_at_layers(vm, 0, true);
  EXPECT_FALSE(disk.plain);
  EXPECT_EQ(disk.layers(), 2u);
  EXPECT_EQ(disk.find("0"), 1u);
  EXPECT_FALSE(disk.find("2"));
  EXPECT_EQ(free_layer_name(disk, 0), "2");
  EXPECT_EQ(free_layer_name(disk, 6), "7");
  make_disk(vm / "disk.0.snap/9");  // stock starts the next VM on the highest
  EXPECT_EQ(free_layer_name(disk, 0), "10");
}

TEST_F(Layers, TheLayersOfAPersistentDiskLieWithItsImage) {
  make_disk(vm / "images/abc.snap/0");
  fs::create_symlink(vm / "images/abc.snap/0", link);
  const DiskLayers disk = look_at_layers(vm, 0, true);
  EXPECT_EQ(disk.dir, vm / "images/abc.snap");
  EXPECT_EQ(link_text(disk, "1"), vm / "images/abc.snap/1");
}

TEST_F(Layers, LayerZeroMayBeALinkToTheImage) {
  make_disk(vm / "images/abc");
  fs::create_directory(vm / "images/abc.snap");
  fs::create_symlink(vm / "images/abc", vm / "images/abc.snap/0");
  fs::create_symlink(vm / "images/abc.snap/0", link);
  DiskLayers disk = look_at_layers(vm, 0, true);
  EXPECT_EQ(disk.dir, vm / "images/abc.snap");
  EXPECT_EQ(disk.layers(), 1u);
  EXPECT_EQ(disk.find("0"), 0u);
  EXPECT_EQ(link_text(disk, "1"), vm / "images/abc.snap/1");
  make_layer(disk.file_of("1"), disk.file_of("0"));
  relink(disk.link, link_text(disk, "1"));
  disk = look_at_layers(vm, 0, true);
  EXPECT_EQ(disk.layers(), 2u);
  EXPECT_EQ(disk.active().filename(), "1");
  EXPECT_EQ(disk.find("0"), 1u);
}

TEST_F(Layers, ALinkToAnImageThatIsNoLayer) {
  make_disk(vm / "images/abc");
  fs::create_symlink(vm / "images/abc", link);
  EXPECT_THROW(look_at_layers(vm, 0, true), Error);
  EXPECT_EQ(look_at_layers(vm, 0, false).layers(), 0u);
}

TEST_F(Layers, AnotherFileInThePlaceOfLayerZeroStays) {
  make_disk(link);
  make_disk(vm / "disk.0.snap/0");
  DiskLayers disk = look_at_layers(vm, 0, true);
  EXPECT_THROW(adopt(disk), Error);
  EXPECT_FALSE(same_file(link, vm / "disk.0.snap/0"));
}

TEST_F(Layers, TheBookRemembersTwoIncrements) {
  LayerBook book{vm};
  EXPECT_TRUE(book.empty());
  book.add(0, "4");
  book.begin(3, {{0, "4"}, {1, "4"}}, 2);
  book.begin(4, {{0, "5"}, {1, "5"}}, 3);
  const LayerBook again{vm};
  EXPECT_EQ(again.since(3, 0), "4");
  EXPECT_EQ(again.since(4, 1), "5");
  EXPECT_EQ(again.since(2, 0), std::nullopt);
  EXPECT_EQ(again.made(0), (std::set<std::string>{"4"}));
  book.begin(4, {{0, "6"}}, 3);  // the same once more, without disk 1
  EXPECT_EQ(book.since(4, 0), "6");
  EXPECT_EQ(book.since(4, 1), std::nullopt);
  EXPECT_EQ(book.since(3, 1), "4");
}

TEST_F(Layers, ADamagedBookIsNone) {
  for (const char* text : {"", "{", R"({"disks": {"0": {"made": ["../x"], "since": {}}}})",
                           R"({"disks": {"x": {"made": [], "since": {}}}})"}) {
    write_file(vm / "backup.layers", text);
    EXPECT_TRUE(LayerBook{vm}.empty()) << text;
  }
}

}  // namespace
}  // namespace host
