// Invented customers: names as they look in WeChat, most of them plain, some with a company.
const SURNAMES = "王李张刘陈杨黄赵周吴徐孙马朱胡林郭何高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任沈姚卢傅钟姜崔谭陆范汪廖石金";
const GIVEN = ["建国", "志远", "文博", "雨桐", "思远", "佳宁", "晓彤", "海燕", "志强", "俊杰", "欣怡", "子轩", "梓涵", "浩然", "明辉", "雅静",
  "国栋", "春梅", "丽娟", "永强", "立新", "慧敏", "振华", "晓东", "玉兰", "嘉豪", "诗雨", "启航", "宏伟", "淑芬", "天佑", "若曦", "婉清", "景行"];
const FIRMS = ["顺达物流", "宏远货运", "鑫海冷链", "长青供应链", "远通快运", "中联车队", "盛源运输"];

const any = (list) => list[Math.floor(Math.random() * list.length)];

export function inventName() {
  const name = any([...SURNAMES]) + any(GIVEN);
  return Math.random() < 0.2 ? `${any(FIRMS)}-${name}` : name;
}
