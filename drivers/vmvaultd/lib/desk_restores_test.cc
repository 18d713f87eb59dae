// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/desk.h"
#include "drivers/vmvaultd/lib/test_desk.h"

namespace vmvaultd {
namespace {

class DeskRestoresTest : public DeskTest {
 protected:
  int machine_with_backup() {
    const int vm = idle_machines(1);
    back_up(vm);
    back_up(vm);
    asked.clear();
    datastore = desk->add_image_datastore("images", (dir.path() / "images").string());
    return vm;
  }
  int datastore = -1;
};

TEST_F(DeskRestoresTest, MakesNewObjectsAlsoAfterARestart) {
  const int vm = machine_with_backup();
  EXPECT_THROW(desk->restore({.image = 1, .datastore = 100}), NoSuchObject) << "not of images";
  EXPECT_THROW(desk->restore({.image = 1, .increment = 7, .datastore = datastore}), BadRequest);
  EXPECT_THROW(desk->restore({.image = 1, .disk = 7, .datastore = datastore}), BadRequest);
  EXPECT_THROW(desk->restore({.image = 1, .datastore = datastore, .name = "a/b"}), BadRequest);
  const auto made = desk->restore({.image = 1, .increment = 0, .datastore = datastore, .owner = 3});
  ASSERT_EQ(made.images.size(), 1U);
  EXPECT_NE(made.images[0], 1);
  const state::Restores restores{store};
  auto image = restores.disk_image(made.images[0]).value();
  EXPECT_EQ(image.state, state::ObjectState::locked);
  EXPECT_EQ(image.owner, 3);
  EXPECT_EQ(image.name, std::to_string(vm) + "-aaaa1001-disk-0");
  EXPECT_THROW(desk->delete_image(image.id), WrongState);
  EXPECT_THROW(desk->delete_template(made.template_id), WrongState);
  reboot();
  advance();
  EXPECT_EQ(asked, (Strings{"disk " + std::to_string(image.id),
                            "template " + std::to_string(made.template_id)}));
  const std::string size = "12\n", text = "TkFNRT0ieCIK\n";
  manager->fetched("disk", image.id, &size, "");
  manager->fetched("template", made.template_id, nullptr, "no such\nsnapshot");
  image = restores.disk_image(image.id).value();
  EXPECT_EQ(image.state, state::ObjectState::ready);
  EXPECT_EQ(image.size_mib, 12);
  const auto failed = restores.one_template(made.template_id).value();
  EXPECT_EQ(failed.state, state::ObjectState::error);
  EXPECT_EQ(failed.error, "no such snapshot");
  desk->delete_template(failed.id);
  EXPECT_THROW(desk->delete_template(failed.id), NoSuchObject);
  desk->delete_image(image.id);
  advance();
  EXPECT_FALSE(restores.disk_image(image.id));
}

TEST_F(DeskRestoresTest, NothingIsRestoredFromWhatIsBeingMergedAndThatGoesOn) {
  const int vm = machine_with_backup();
  store.mark_flattening(1, 1);  // by a command that was killed then
  EXPECT_THROW(desk->restore({.image = 1, .increment = 0, .datastore = datastore}), WrongState);
  EXPECT_THROW(desk->restore_in_place(vm, 1, -1, -1), WrongState);
  EXPECT_THROW(desk->protect(1, true), WrongState);
  const state::Restores restores{store};
  EXPECT_TRUE(restores.origins().empty() && !restores.restore_of(vm));
  EXPECT_FALSE(store.image(1)->is_protected);
  advance();
  EXPECT_EQ(asked, (Strings{"INCREMENT_FLATTEN 1"}));
}

TEST_F(DeskRestoresTest, AnImageDatastoreGoesWhenNothingIsInIt) {
  machine_with_backup();
  const state::Restores restores{store};
  const int spare = desk->add_image_datastore("spare", (dir.path() / "spare").string());
  const auto before = restores.image_datastores().size();
  desk->delete_datastore(spare);
  EXPECT_EQ(restores.image_datastores().size(), before - 1);
  EXPECT_THROW(desk->delete_datastore(spare), NoSuchObject);
  EXPECT_THROW(desk->delete_datastore(100), WrongState) << "it is of backups";
  const auto made = desk->restore({.image = 1, .datastore = datastore});
  EXPECT_THROW(desk->delete_datastore(datastore), WrongState);
  advance();
  manager->fetched("disk", made.images[0], nullptr, "no");
  desk->delete_image(made.images[0]);
  advance();
  EXPECT_FALSE(restores.disk_image(made.images[0]));
  EXPECT_THROW(desk->delete_datastore(datastore), WrongState) << "the template is not made";
  manager->fetched("template", made.template_id, nullptr, "no");
  desk->delete_datastore(datastore);
}

TEST_F(DeskRestoresTest, ATemplateGoesWithAllOfItsImagesOrStaysWithAll) {
  machine_with_backup();
  const auto made = desk->restore({.image = 1, .datastore = datastore});
  const auto other = desk->restore({.image = 1, .disk = 0, .datastore = datastore});
  const std::vector<int> both{made.images.at(0), other.images.at(0)};
  const state::Restores restores{store};
  const std::string size = "12\n", text = "TkFNRT0ieCIK\n";
  advance();
  manager->fetched("template", made.template_id, &text, "");
  manager->fetched("disk", both[0], &size, "");
  EXPECT_THROW(desk->delete_template(made.template_id, both), WrongState) << "one is still made";
  EXPECT_EQ(restores.disk_image(both[0])->state, state::ObjectState::ready);
  EXPECT_TRUE(restores.one_template(made.template_id));
  manager->fetched("disk", both[1], &size, "");
  desk->delete_template(made.template_id, both);
  advance();
  EXPECT_TRUE(restores.disk_images().empty());
  EXPECT_FALSE(restores.one_template(made.template_id));
}

TEST_F(DeskRestoresTest, ARestoreThatIsKilledIsMadeAgainAFewTimes) {
  machine_with_backup();
  const auto made = desk->restore({.image = 1, .disk = 0, .datastore = datastore});
  const auto id = made.images.at(0);
  const state::Restores restores{store};
  const Strings again{"disk " + std::to_string(id)};
  for (int n = 0; n < 3; ++n) {
    EXPECT_EQ(restores.disk_image(id)->state, state::ObjectState::locked);
    asked.clear();
    advance();
    EXPECT_EQ(asked, again);
    manager->fetched("disk", id, nullptr, "");
  }
  EXPECT_EQ(restores.disk_image(id)->state, state::ObjectState::error);
  asked.clear();
  advance();
  EXPECT_TRUE(asked.empty());
}

TEST_F(DeskRestoresTest, OneDiskIsAnImageWithoutATemplate) {
  machine_with_backup();
  const auto made = desk->restore({.image = 1, .disk = 0, .datastore = datastore, .name = "web"});
  EXPECT_EQ(made.template_id, -1);
  ASSERT_EQ(made.images.size(), 1U);
  const auto image = state::Restores{store}.disk_image(made.images[0]).value();
  EXPECT_TRUE(image.is_os);
  EXPECT_EQ(image.origin.increment, 1) << "the last";
  back_up(store.vms()[0].id);
  EXPECT_EQ(store.images().size(), 1U) << "their ids have nothing to do with backups";
}

TEST_F(DeskRestoresTest, RestoresInPlaceAndBeginsAnotherChain) {
  const int vm = machine_with_backup();
  desk->restore_in_place(vm, 1, -1, -1);
  EXPECT_EQ(asked, (Strings{"restore " + std::to_string(vm)}));
  EXPECT_THROW(desk->restore_in_place(vm, 1, -1, -1), WrongState);
  desk->backup(vm, -1, false);
  advance();
  EXPECT_TRUE(preparing.empty());
  state::Restores{store}.end(vm, "");  // as who restores does
  manager->restored(vm, true, "", now);
  EXPECT_FALSE(store.vm(vm)->active_image);
  advance();
  EXPECT_EQ(preparing.size(), 1U);
}

TEST_F(DeskRestoresTest, AMachineThatIsOnNoHostIsNotRestoredInPlace) {
  const int vm = machine_with_backup();
  manager->machines(host, std::vector<Machine>{}, now);
  advance();
  EXPECT_THROW(desk->restore_in_place(vm, 1, -1, -1), WrongState);
  EXPECT_FALSE(state::Restores{store}.restore_of(vm));
}

TEST_F(DeskRestoresTest, ARestoreInPlaceIsBegunAgainAndEndsForGood) {
  const int vm = machine_with_backup();
  desk->restore_in_place(vm, 1, 0, 0);
  reboot();
  advance();
  EXPECT_EQ(asked, (Strings{"restore " + std::to_string(vm)}));
  manager->restored(vm, false, "it runs", now);
  EXPECT_EQ(state::Restores{store}.restore_of(vm)->error, "it runs");
  EXPECT_EQ(store.vm(vm)->active_image, 1);
  reboot();
  advance();
  EXPECT_TRUE(asked.empty());
}

}  // namespace
}  // namespace vmvaultd
