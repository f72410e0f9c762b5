from tcop_mock.testing import AlarmFactory, Contract, Receiver, Sender


def test_contract(tcop_contract: Contract) -> None:
    tcop_contract.check()


def test_people_are_notified(tcop_sender: Sender, tcop_alarm: AlarmFactory, tcop_wecom: Receiver) -> None:
    assert tcop_sender.send(tcop_alarm("cvm/basic-monitoring")).accepted
    [message] = tcop_wecom.wait_for(1)
    assert message.at("text.content").startswith("firing: ")
