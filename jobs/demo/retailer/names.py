"""Word lists of the simulated persons: names with their sound, streets and homes, nicknames, mail domains.

A list is one string: words of Chinese characters, each followed by its spelling where one is needed. Nobody is meant:
names are put together at random, and mail goes to domains that RFC 2606 reserves.
"""

import re
from collections.abc import Sequence

import numpy as np


def _pairs(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Chinese words and their spellings."""
    found = [re.fullmatch(r"([^a-z]+)([a-z]+)", word, re.IGNORECASE) for word in text.split()]
    return _words([m[1] for m in found if m]), _words([m[2].capitalize() for m in found if m])


def _words(words: str | Sequence[str]) -> np.ndarray:
    """As objects: numpy adds such arrays word by word."""
    return np.array(words.split() if isinstance(words, str) else words, dtype=object)


# Family names, commonest first. 1 / (rank + 3) comes close to how often they are borne: 7 % Wang, 0.2 % the last.
FAMILY, FAMILY_LATIN = _pairs("""
王wang 李li 张zhang 刘liu 陈chen 杨yang 黄huang 赵zhao 吴wu 周zhou 徐xu 孙sun 马ma 朱zhu 胡hu 郭guo 何he 林lin 高gao
罗luo 郑zheng 梁liang 谢xie 宋song 唐tang 许xu 韩han 邓deng 冯feng 曹cao 彭peng 曾zeng 肖xiao 田tian 董dong 潘pan
袁yuan 蔡cai 蒋jiang 余yu 于yu 杜du 叶ye 程cheng 魏wei 苏su 吕lyu 丁ding 任ren 卢lu 姚yao 沈shen 钟zhong 姜jiang
崔cui 谭tan 陆lu 范fan 汪wang 廖liao 石shi 金jin 韦wei 贾jia 夏xia 付fu 方fang 邹zou 熊xiong 白bai 孟meng 秦qin
邱qiu 侯hou 江jiang 尹yin 薛xue 闫yan 雷lei 段duan 龙long 黎li 史shi 陶tao 贺he 毛mao 郝hao 顾gu 龚gong 邵shao 万wan
覃qin 武wu 钱qian 戴dai 严yan 莫mo 孔kong 向xiang 欧阳ouyang""")
FAMILY_WEIGHTS = 1 / (np.arange(len(FAMILY)) + 4)

# Characters of given names by sound: those of one line sound the same to who types them, tones left aside.
_SOUNDS = dict(
    re.findall(
        r"(\w+):(\w+)",
        """
ai:爱艾 bao:宝保 bin:斌彬滨 bing:兵冰 bo:波博 chao:超朝 chen:晨辰臣 cheng:成诚程承 chun:春纯 cui:翠萃 dan:丹旦
de:德得 dong:东冬 e:娥峨 fang:芳方 fei:飞菲 feng:凤峰锋丰 fu:福富 gang:刚钢 gen:根亘 gui:贵桂 guo:国果 hai:海亥
han:涵晗翰 hang:航杭 hao:浩昊豪 hong:红宏洪 hua:华花桦 hui:辉慧惠 jia:佳嘉家 jian:建健剑 jie:杰洁捷 jin:金锦进
jing:静婧晶京 ju:菊鞠 juan:娟隽 jun:军俊君钧 kai:凯恺 ke:可柯科 lan:兰岚 lei:磊蕾雷 li:丽莉力立 lian:莲连 liang:亮良
lin:林琳霖 ling:玲灵 long:龙隆 lu:璐露路 mei:梅美 meng:梦萌 min:民敏 ming:明铭鸣 na:娜那 nuo:诺喏 peng:鹏朋
ping:平萍 qi:琪琦奇 qian:倩茜 qiang:强蔷 qin:琴勤芹 qing:庆清青晴 ran:然冉 rong:荣容蓉 rui:睿瑞 ruo:若箬
sheng:生胜盛 shi:诗石 shu:树淑书舒 shuai:帅率 si:思斯 su:素苏 tao:涛韬 tian:天甜 ting:婷廷 tong:彤桐童 wei:伟玮薇
wen:文雯 xia:霞夏 xiang:祥翔香湘 xiao:晓小 xin:新鑫欣馨心 xiu:秀修 xu:旭栩 xuan:轩萱宣 xue:雪学 ya:雅亚
yan:燕艳妍嫣岩 yang:洋阳 yao:瑶尧 yi:义怡奕一依亦宜 ying:英莹颖瑛 yong:勇永 yu:玉宇雨语钰裕 yuan:媛源园 yue:月悦岳
yun:云芸韵 ze:泽则 zhen:振珍镇真 zhi:志智芝 zhong:忠中 zi:子梓紫""",
    )
)
# The last of all is no character, so that -1 stands for the second one of a name that has only one.
CHARACTERS = _words([c for group in _SOUNDS.values() for c in group] + [""])
SPELT = _words([sound for sound, group in _SOUNDS.items() for _ in group] + [""])
_size = np.array([len(group) for group in _SOUNDS.values()])
GROUP_START = np.repeat(np.cumsum(_size) - _size, _size)  # of each character: where its sound begins in CHARACTERS,
GROUP_SIZE = np.repeat(_size, _size)  # and how many characters have that sound

# What parents chose, commonest first: by birth year (see GENERATIONS), for girls and for boys.
GENERATIONS = (1960, 1980, 1995)
_GIVEN = (
    "秀英兰珍桂芳玉梅凤莲翠菊香花淑琴素爱月娥春",
    "建国志明德福贵荣华忠义振林海生根宝金树云龙成祥庆",
    "丽敏静燕红霞艳萍玲娟芳英华慧莉琴秀春梅云晓",
    "伟强军勇刚建平斌辉民杰志峰波涛东新兵国华文鹏",
    "婷婧娜丹倩雪颖琳莹佳晶蕾欣慧洁妍媛璐思瑶晓",
    "磊涛超鹏洋浩杰俊帅斌凯亮鑫龙飞宇翔晨志文旭",
    "梓涵欣怡诗雨佳琪思彤雅馨语嫣可心悦若萱依诺瑶梦",
    "宇轩子浩然博涵睿泽昊天嘉俊奕铭辰梓航一诺晨",
)
_place = {c: i for i, c in enumerate(CHARACTERS)}
GIVEN = np.array([_place[c] for group in _GIVEN for c in group])
GIVEN_SIZE = np.array([len(group) for group in _GIVEN])
GIVEN_START = np.cumsum(GIVEN_SIZE) - GIVEN_SIZE
ONE_CHARACTER = np.array([0.08, 0.30, 0.30, 0.15])  # share of given names of one character, by generation

DISTRICTS, DISTRICTS_LATIN = _pairs("""
城东chengdong 城西chengxi 新城xincheng 西湖xihu 江北jiangbei 江南jiangnan 滨江binjiang 高新gaoxin 南山nanshan
东湖donghu 河东hedong 河西hexi 青山qingshan 白云baiyun 长安changan 金水jinshui 天河tianhe 和平heping 铁西tiexi
海港haigang 龙泉longquan 武侯wuhou 桥东qiaodong 雨花yuhua""")
ROADS, ROADS_LATIN = _pairs("""
人民renmin 中山zhongshan 解放jiefang 建设jianshe 文化wenhua 和平heping 新华xinhua 胜利shengli 长江changjiang
黄河huanghe 学院xueyuan 科技keji 环城huancheng 迎宾yingbin 东风dongfeng 友谊youyi 光明guangming 幸福xingfu
青年qingnian 体育tiyu 公园gongyuan 湖滨hubin 北京beijing 南京nanjing 文三wensan 凤起fengqi 延安yanan 朝阳chaoyang
花园huayuan 健康jiankang 工业gongye 滨河binhe 春风chunfeng 桃源taoyuan 银杏yinxing 梧桐wutong 梅园meiyuan
松涛songtao 云山yunshan 紫金zijin""")
ROAD_KINDS, ROAD_KINDS_LATIN = _pairs("路road 街street 大道avenue 巷lane")
COMPOUNDS, COMPOUNDS_LATIN = _pairs("""
翠苑cuiyuan 阳光yangguang 金桂jingui 锦绣jinxiu 碧水bishui 丽景lijing 万和wanhe 绿洲lyuzhou 香榭xiangxie 枫林fenglin
东方dongfang 世纪shiji 康乐kangle 芙蓉furong 银河yinhe 明月mingyue 星河xinghe 御景yujing 秋涛qiutao 嘉和jiahe
金色jinse 竹苑zhuyuan 水岸shuian 海棠haitang 玫瑰meigui 春江chunjiang 凯旋kaixuan 福瑞furui 景泰jingtai 玉兰yulan""")
COMPOUND_KINDS, COMPOUND_KINDS_LATIN = _pairs(
    "小区community 花园garden 家园homes 公寓apartments 新村village 名邸mansion"
)

MOODS = _words("""
快乐的 爱吃的 阳光下的 温柔的 不睡觉的 努力的 发呆的 安静的 奔跑的 会飞的 想旅行的 早起的 微笑的 雨中的""")
NICKS, NICKS_LATIN = _pairs("""
小鱼xiaoyu 小猫xiaomao 柠檬ningmeng 橙子chengzi 向日葵xiangrikui 小熊xiaoxiong 豆豆doudou 月亮yueliang 星星xingxing
土豆tudou 西瓜xigua 蜗牛woniu 企鹅qie 兔子tuzi 石头shitou 咖啡kafei 番茄fanqie 海豚haitun 麦子maizi 芒果mangguo""")

DOMAINS = _words("qq.example 163.example 126.example mail.example outlook.example")
DOMAINS_WRONG = _words("q.example 136.example 162.example mial.example outlok.example")
