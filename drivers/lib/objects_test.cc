// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/objects.h"

#include <gtest/gtest.h>

#include "common/file.h"

namespace objects {
namespace {

struct ObjectsTest : testing::Test {
  TempDir dir;
  state::Store store{dir.path() / "state.db"};
  state::Users users{store};
  state::Views views{store};
  int alice = users.add({.name = "alice"});
  int web = store.vm_for("u1", "web <1>").id, db = store.vm_for("u2", "db").id;

  void SetUp() override {
    store.put_datastore({.id = 100, .name = "default", .ds_mad = "restic"});
    users.set_owner(state::Owned::vm, web, alice);
  }
  int backed_up(int vm, const std::string& source, std::optional<int> image = std::nullopt,
                int increment = 0) {
    const auto attempt = store.begin({.vm = vm,
                                      .image = image,
                                      .increment = increment,
                                      .datastore = 100,
                                      .mode = Mode::increment,
                                      .disks = {0, 2},
                                      .dir = "/d",
                                      .ended = std::nullopt,
                                      .error = {}});
    return store.succeed(attempt, {.id = increment, .source = source, .size_mib = 5, .date = 7});
  }
  Owners owners() const { return Owners{users.all()}; }
};

TEST_F(ObjectsTest, AnImageHasItsIncrementsAndItsOwner) {
  const int image = backed_up(web, "aaaa0000");
  backed_up(web, "bbbb1111", image, 1);
  const auto page = views.images({.owner = alice});
  ASSERT_EQ(page.size(), 1u);
  const Xml xml{objects::image(page.front(), owners())};
  EXPECT_EQ(xml.at("/IMAGE/UNAME"), "alice");
  EXPECT_EQ(xml.at("/IMAGE/GNAME"), "users");
  EXPECT_EQ(xml.at("/IMAGE/VMS/ID"), std::to_string(web));
  EXPECT_EQ(xml.at("/IMAGE/SIZE"), "10");
  EXPECT_EQ(xml.at("/IMAGE/STATE"), "1");
  EXPECT_EQ(xml.at("/IMAGE/DATASTORE"), "default");
  EXPECT_EQ(xml.at("/IMAGE/TEMPLATE/VM_NAME"), "web <1>");
  EXPECT_EQ(xml.at("/IMAGE/BACKUP_DISK_IDS/ID[2]"), "2");
  EXPECT_EQ(xml.at("//INCREMENT[1]/PARENT_ID"), "-1");
  EXPECT_EQ(xml.at("//INCREMENT[1]/TYPE"), "FULL");
  EXPECT_EQ(xml.at("//INCREMENT[2]/PARENT_ID"), "0");
  EXPECT_EQ(xml.at("//INCREMENT[2]/SOURCE"), "bbbb1111");
  store.mark_deleting(image);
  EXPECT_EQ(Xml{objects::image(views.images(state::only(image)).front(), owners())}.at("//STATE"),
            "7");
}

TEST_F(ObjectsTest, APageIsThatPartOfThePool) {
  for (const char* source : {"a0", "a1", "a2", "a3"}) backed_up(db, source);
  backed_up(web, "b0");
  const auto ids = [&](const state::Page& page) {
    std::vector<int> all;
    for (const auto& one : views.images(page)) all.push_back(one.image.id);
    return all;
  };
  EXPECT_EQ(ids({}), (std::vector{1, 2, 3, 4, 5}));
  EXPECT_EQ(ids({.offset = 1, .count = 2}), (std::vector{2, 3}));
  EXPECT_EQ(ids({.offset = 4, .count = 2}), (std::vector{5}));
  EXPECT_EQ(ids({.least = 2, .most = 3}), (std::vector{2, 3}));
  EXPECT_EQ(ids({.owner = alice}), (std::vector{5}));
  EXPECT_EQ(ids({.owner = 99}), std::vector<int>{});
  EXPECT_EQ(views.images_in(100).size(), 5u);
}

TEST_F(ObjectsTest, MachinesThatAreGoneCanBeLeftOut) {
  store.database().exec(
      "INSERT INTO scheduled_vms (id, host, job_state, rpo, rpo_since, datastore, last_backup, "
      "expected, rpo_state, held_until, held) VALUES (" +
      std::to_string(db) + ", 0, '', 0, 0, 100, 0, 0, 'KEPT', 0, '')");
  const auto ids = [&](std::optional<bool> there) {
    std::vector<int> all;
    for (const auto& one : views.vms({.there = there})) all.push_back(one.vm.id);
    return all;
  };
  EXPECT_EQ(ids({}).size(), 2u);
  EXPECT_EQ(ids(true), std::vector{db});
  EXPECT_EQ(ids(false), std::vector{web});
}

TEST_F(ObjectsTest, AMachineSaysWhatItsBackupsAre) {
  const int image = backed_up(web, "aaaa0000");
  store.disk_id(web, "vda", "/a&b.qcow2");
  auto view = views.vms(state::only(web)).at(0);
  const auto xml = [&] { return Xml{vm(view, {{"MODE", "INCREMENT"}}, {}, owners())}; };
  EXPECT_EQ(xml().at("/VM/BACKUPS/BACKUP_IDS/ID"), std::to_string(image));
  EXPECT_EQ(xml().at("//BACKUP_CONFIG/INCREMENTAL_BACKUP_ID"), std::to_string(image));
  EXPECT_EQ(xml().at("//BACKUP_CONFIG/LAST_INCREMENT_ID"), "0");
  EXPECT_EQ(xml().at("//BACKUP_CONFIG/MODE"), "INCREMENT");
  EXPECT_EQ(xml().at("/VM/TEMPLATE/DISK/SOURCE"), "/a&b.qcow2");
  EXPECT_EQ(xml().at("/VM/STATE"), "6") << "it is on no host";
  view.host = 0;
  view.host_name = "node1";
  EXPECT_EQ(xml().at("/VM/STATE"), "3");
  EXPECT_EQ(xml().at("/VM/LCM_STATE"), "3");
  EXPECT_EQ(xml().at("//HISTORY/HOSTNAME"), "node1");
  view.restoring = true;
  EXPECT_EQ(xml().at("/VM/LCM_STATE"), "71");
  view.running.emplace();
  EXPECT_EQ(xml().at("/VM/LCM_STATE"), "69");
}

TEST_F(ObjectsTest, SecretsOfADatastoreAreForThoseWhoMay) {
  const Xml file{
      "<DATASTORE><ID>100</ID><NAME>d</NAME><DS_MAD>restic</DS_MAD><TEMPLATE><RESTIC_PASSWORD>pw"
      "</RESTIC_PASSWORD><RESTIC_S3_SECRET_ACCESS_KEY>pw</RESTIC_S3_SECRET_ACCESS_KEY><A>1</A>"
      "</TEMPLATE></DATASTORE>"};
  EXPECT_EQ(datastore(file.root(), {}, {}, {}, owners(), false).find("pw"), std::string::npos);
  const Xml whole{datastore(file.root(), {3}, {.used_mib = 7}, {{"RPO", "60"}}, owners(), true)};
  EXPECT_EQ(whole.at("//RESTIC_PASSWORD"), "pw");
  EXPECT_EQ(whole.at("//IMAGES/ID"), "3");
  EXPECT_EQ(whole.at("/DATASTORE/TYPE"), "3");
  EXPECT_EQ(whole.at("/DATASTORE/USED_MB"), "7");
  EXPECT_EQ(whole.at("/DATASTORE/TEMPLATE/RPO"), "60");
}

TEST_F(ObjectsTest, AUserHasNoSecretsInIt) {
  const state::UserRecord user{
      .id = 5, .name = "bob", .password = "hash", .attributes = "A = \"<\""};
  const auto text = objects::user(user, {{.digest = "token", .expires = 9}});
  EXPECT_EQ(text.find("hash"), text.npos);
  EXPECT_EQ(text.find("token"), text.npos);
  EXPECT_EQ(Xml{text}.at("/USER/TEMPLATE/A"), "<");
  EXPECT_EQ(Xml{text}.at("/USER/LOGIN_TOKEN/EXPIRATION_TIME"), "9");
}

TEST_F(ObjectsTest, ATemplateBecomesElements) {
  EXPECT_EQ(attributes(one::parse_template("A = \"1\"\nD = [ X = \"<\", Y = \"2\" ]")),
            "<A>1</A><D><X>&lt;</X><Y>2</Y></D>");
  EXPECT_EQ(pool("VM_POOL", {"<VM></VM>", "<VM></VM>"}), "<VM_POOL><VM></VM><VM></VM></VM_POOL>");
  EXPECT_EQ(pool("VM_POOL", {}), "<VM_POOL></VM_POOL>");
}

}  // namespace
}  // namespace objects
