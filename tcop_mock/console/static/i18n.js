// Labels in English and Chinese.

const words = {
  views: ["Views", "视图"], stream: ["Stream", "实时流"], send: ["Send", "发送"], contract: ["Contract", "契约检查"],
  storm: ["Storm", "告警风暴"], share: ["Share", "导出"], target: ["Target", "目标"], set: ["Set", "设置"],
  targetNote: ["The password of the target is never shown again.", "目标的密码不会再次显示。"],
  targetSet: ["Target set", "目标已设置"],
  live: ["live", "已连接"], offline: ["reconnecting…", "正在重连…"],
  filterText: ["Filter by text   /", "按文本筛选   /"], shape: ["Shape", "产品形态"], state: ["State", "状态"],
  outcome: ["Outcome", "结果"], span: ["Time span", "时间范围"], alarm: ["Alarm", "告警"], alarms: ["Alarms", "告警列表"],
  slowest: ["Slowest answer", "最慢响应"], line5: ["5 s line", "5 秒线"],
  allShapes: ["All shapes", "全部形态"], allStates: ["All states", "全部状态"], allOutcomes: ["All outcomes", "全部结果"],
  fit: ["Fit", "自适应"], last: ["Last", "最近"],
  firing: ["firing", "触发"], repeated: ["repeat", "重复"], resolved: ["resolved", "恢复"], retry: ["retry", "重试"],
  message: ["message", "消息"], acked: ["accepted", "已接受"], failed: ["failed", "失败"], late: ["over 5 s", "超过 5 秒"],
  pending: ["under way", "进行中"],
  rejected: ["rejected", "被拒绝"], redirected: ["redirected", "被重定向"], timed_out: ["timed out", "超时"], refused: ["refused", "连接被拒绝"],
  dns: ["DNS", "DNS 解析"], tls: ["TLS", "TLS"], reset_before_answer: ["reset before answer", "响应前连接重置"],
  reset_in_answer: ["reset in answer", "响应中连接重置"], bad_answer: ["bad answer", "响应无效"], cancelled: ["cancelled", "已取消"],
  no_answer: ["no answer", "未响应"], not_sent: ["not sent", "未发送"],
  pass: ["pass", "通过"], fail: ["fail", "未通过"], error: ["error", "无结果"], known: ["known", "已知"], "not-run": ["not run", "未执行"],
  waiting: ["waiting", "等待"], running: ["running", "执行中"],
  emptyTitle: ["Nothing sent or received yet", "尚无收发记录"],
  emptyText: ["Send a callback to your receiver, or point a sender, or the messages of your receiver, at",
    "向您的接收端发送一个回调，或将发送方（或接收端的下游消息）指向"],
  emptyRun: ["The run is in Contract or in Storm. What you send to the target comes here.", "运行情况见“契约检查”或“告警风暴”。您发往目标的回调会显示在这里。"],
  emptySend: ["Send a callback", "发送回调"], nothingMatches: ["Nothing matches the filter", "没有符合筛选条件的记录"],
  clearFilter: ["Clear the filter", "清除筛选"],
  close: ["Close", "关闭"], body: ["Body", "正文"], answer: ["Answer", "响应"], headers: ["Headers", "请求头"],
  diff: ["Diff", "差异"], commands: ["Copy as", "复制为"], copy: ["Copy", "复制"], copied: ["Copied", "已复制"],
  copyFailed: ["The browser does not allow copying: select the text", "浏览器不允许复制：请选择文本"],
  resend: ["Send again", "再次发送"], editSend: ["Edit and send", "编辑后发送"], download: ["Save the body", "保存正文"],
  outgoing: ["sent to the target", "发往目标"], incoming: ["received", "收到"],
  valid: ["Could have come from TCOP", "符合 TCOP 回调格式"], notValid: ["Not a body that TCOP sends", "不是 TCOP 会发送的正文"],
  assumed: ["Assumed in this shape, because no source states it", "此形态中的假设（无来源说明）"],
  noDiff: ["There is no other callback of this alarm to compare with.", "没有同一告警的其他回调可供比较。"],
  againstFiring: ["Against the firing", "与触发相比"], againstPrevious: ["Against the callback before", "与前一个回调相比"],
  againstSample: ["Dimensions against the documented sample", "维度与文档示例相比"],
  noAnswer: ["No answer yet.", "尚无响应。"], connect: ["connected", "建立连接"], firstByte: ["first byte", "首字节"],
  end: ["end", "结束"], noHeaders: ["no headers", "无请求头"], emptyBody: ["empty body", "空正文"],
  sendTitle: ["Send a callback", "发送回调"], search: ["Search a shape, in English or Chinese", "搜索产品形态（中文或英文）"],
  metric: ["Metric", "指标"], event: ["Event", "事件"], random: ["random", "随机"], form: ["Form", "形式"],
  lang: ["Language", "语言"], profile: ["Profile", "协议版本"], seed: ["Seed", "种子"], newSeed: ["New alarm", "新告警"],
  notify: ["Repeats", "重复方式"], mutator: ["Mutation", "变异"], none: ["none", "无"],
  retries: ["Attempts and pauses", "尝试次数与间隔"], asProfile: ["As TCOP, real pauses", "同 TCOP，真实间隔"],
  fast: ["As TCOP, no pauses", "同 TCOP，无间隔"], once: ["One attempt", "仅一次"],
  fire: ["Fire", "触发"], repeat: ["Repeat", "重复"], resolve: ["Resolve", "恢复"], sendBody: ["Send this body", "发送此正文"],
  sendNow: ["Send now, about the same alarm", "立即发送（同一告警）"], preview: ["Or prepare a body to edit", "或准备可编辑的正文"],
  editor: ["Body, as it is sent", "正文（按原样发送）"], path: ["Path", "路径"], value: ["JSON value", "JSON 值"],
  setValue: ["Set", "设置"], unset: ["Remove", "删除"],
  notText: ["These bytes are not plain text, so they can only be sent as they are.", "这些字节不是纯文本，只能按原样发送。"],
  sent: ["Sent", "已发送"], see: ["see the stream", "查看实时流"], command: ["The same on the command line", "对应命令行"],
  contractTitle: ["Check the target against the contract", "按契约检查目标"], clauses: ["Clauses (globs, commas)", "条款（通配符，逗号分隔）"],
  allClauses: ["all", "全部"], start: ["Start", "开始"], stop: ["Stop", "停止"], failOn: ["Fails on", "判定级别"],
  report: ["HTML report", "HTML 报告"], findings: ["Findings", "问题"], allResults: ["All clauses", "全部条款"],
  effects: ["Effects", "检查效果"],
  effectsNote: ["Also check what the receiver does: its messages to the receiver of this page, or what --observe-* shows",
    "同时检查接收端的后续动作：发往本页接收端的消息，或 --observe-* 所示内容"],
  notRun: ["Not run", "未执行"],
  seeAgain: ["See it again", "重现"], requirement: ["Requirement", "要求"], why: ["Why", "原因"], fix: ["Fix", "修复"],
  source: ["Source", "来源"], evidence: ["Request and response", "请求与响应"],
  contractEmpty: ["A check sends callbacks with every kind of surprise to the target, and says which obligations it keeps.",
    "检查会向目标发送各种情况的回调，并说明其遵守哪些义务。"],
  stormTitle: ["Rehearse an alarm storm", "演练告警风暴"], scenario: ["Scenario", "场景"], speed: ["Speed", "速度"],
  longest: ["At most", "最长"], ceilings: ["Ceilings: 3,000/s, 50,000 notifications, 500 in flight.", "上限：每秒 3,000 个，共 50,000 个通知，500 个并发。"],
  rate: ["attempts per second", "每秒尝试数"], failedRate: ["failed per second", "每秒失败数"], inFlight: ["in flight", "进行中请求"],
  p50: ["p50", "p50"], p99: ["p99", "p99"], acksOver: ["Time to an ack", "确认耗时"], perSecond: ["Attempts per second", "每秒尝试数"],
  attempts: ["attempts", "尝试数"], amplification: ["amplification", "放大倍数"], lost: ["lost", "丢失"], over5: ["over 5 s", "超过 5 秒"],
  stormEmpty: ["A storm sends the alarms of an outage as TCOP would, retries included.", "风暴会像 TCOP 一样发送一次故障的全部告警（包括重试）。"],
  shareTitle: ["Share this conversation", "导出对话"],
  recording: ["Recording", "录制文件"], recordingText: ["One JSON line for each request, which replay sends again:", "每个请求一行 JSON，可用 replay 再次发送："],
  page: ["HTML page", "HTML 页面"], pageText: ["One file without scripts, for a ticket or a colleague. Credentials are masked.", "无脚本的单个文件，可附在工单中。凭据已隐藏。"],
  save: ["Save", "保存"], alarmsShown: ["alarms", "个告警"], problem: ["problem", "问题"], deviation: ["deviation", "偏差"],
};

let index = (localStorage.getItem("language") || navigator.language || "en").startsWith("zh") ? 1 : 0;

export const language = () => (index ? "zh" : "en");
export const t = (key) => (words[key] ? words[key][index] : key);

export function translate(root = document) {
  document.documentElement.lang = index ? "zh-CN" : "en";
  for (const element of root.querySelectorAll("[data-i18n]")) element.textContent = t(element.dataset.i18n);
  for (const element of root.querySelectorAll("[data-i18n-label]")) element.setAttribute("aria-label", t(element.dataset.i18nLabel));
  for (const element of root.querySelectorAll("[data-i18n-placeholder]")) element.placeholder = t(element.dataset.i18nPlaceholder);
}

export function switchLanguage() {
  index = 1 - index;
  localStorage.setItem("language", language());
  translate();
}
